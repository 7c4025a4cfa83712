//! Both tenants ask for all that is the other's.

use std::collections::HashMap;
use std::net::SocketAddr;

use tidings_acceptance::call::{holds, make_all};
use tidings_acceptance::{Call, Reply, report};

use crate::probes;
use crate::side::{Side, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_one_reaches_the_other() {
    let world = World::make().await;
    let mut twins = Vec::new();
    for (asker, victim) in [(&world.south, &world.north), (&world.north, &world.south)] {
        let probes = probes::all(victim, asker);
        let before = (victim.state().await, audited(&world, victim).await);
        let (sent, good) = probe(asker, victim, &probes).await;
        assert_eq!(victim.state().await, before.0, "{} changed {}", asker.tenant, victim.tenant);
        assert_eq!(
            audited(&world, victim).await,
            before.1,
            "{} is in {}'s audit log",
            asker.tenant,
            victim.tenant
        );
        assert!(sent >= 2_000 && good >= 200, "{sent} probes, {good} answered: the credentials are good");
        report(format!(
            "tenants: {sent} probes of {}, {good} of them answered with its own; nothing of {} came back",
            asker.tenant, victim.tenant
        ));
        twins.push((victim, probes.into_iter().map(|(_, twin)| twin).collect::<Vec<_>>()));
    }
    for (victim, twins) in twins {
        let (made, marked) = make_twins(victim, twins).await;
        assert!(marked >= 10, "{marked} of {made}");
        report(format!(
            "tenants: {made} twins with {}'s credential, all answered, {marked} with what the probes looked for",
            victim.tenant
        ));
    }
}

/// Sends each probe with each of the asker's credentials: how many, and how many had success.
async fn probe(asker: &Side, victim: &Side, probes: &[probes::Probe]) -> (usize, usize) {
    let (mut names, mut calls) = (Vec::new(), Vec::new());
    for (call, _) in probes {
        for (credential, target) in asker.credentials() {
            names.push(credential);
            calls.push(call.clone().by(target));
        }
    }
    let (sent, mut good) = (calls.len(), 0);
    for (name, (call, reply)) in names.iter().zip(make_all(asker.key.address, calls).await) {
        assert_no_leak(victim, &call, &reply, name);
        good += usize::from(reply.is_good());
    }
    (sent, good)
}

/// Nothing secret of the victim's is in the reply, but for what the request itself had said.
fn assert_no_leak(victim: &Side, call: &Call, reply: &Reply, who: &str) {
    let leaked = victim.secrets.iter().find(|secret| reply.holds(secret));
    if let Some(secret) = leaked {
        let said = percent_decoded(&call.text(victim.key.address));
        assert!(holds(&said, secret), "{} by {who}: {secret} in {}", call.name(), reply.told());
    }
    // Whatever was refused was refused in order: nothing fell over.
    assert!(reply.status < 500, "{} by {who}: {}", call.name(), reply.told());
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let (mut decoded, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap());
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// Makes each twin once with the right credential: how many there are, and how many were answered with what is secret.
async fn make_twins(victim: &Side, twins: Vec<Call>) -> (usize, usize) {
    let address = victim.key.address;
    let mut distinct: Vec<Call> = Vec::new();
    let mut seen = HashMap::new();
    for twin in twins {
        seen.entry(twin.text(address)).or_insert_with(|| distinct.push(twin));
    }
    // What ends something comes last.
    distinct.sort_by_key(|twin| ["/cancel", "DELETE"].iter().any(|end| twin.name().contains(end)));
    let mut marked = 0;
    for twin in &distinct {
        let twin =
            if twin.name().contains("/auth/login") { twin.clone() } else { twin.clone().by(&victim.key) };
        let reply = twin.make(address).await;
        assert!(reply.is_good(), "{}: {}", twin.name(), reply.told());
        marked += usize::from(reply.holds(victim.mark));
    }
    (distinct.len(), marked)
}

async fn audited(world: &World, side: &Side) -> usize {
    let rows = world.server.json(&["audit", "--tenant", side.tenant, "--limit", "10000"]).await;
    // Streams end when the server notices that they were left: only what a request says counts here.
    let rows = rows["rows"].as_array().unwrap_or_else(|| panic!("{rows}")).iter();
    rows.filter(|row| !row["action"].as_str().is_some_and(|action| action.contains("connection"))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let world = World::make().await;
    let (asker, victim) = (&world.south, &world.north);
    let missing = Missing::of(victim);
    let mut compared = 0;
    for (call, _) in probes::all(victim, asker) {
        let text = String::from_utf8(call.text(victim.key.address)).unwrap_or_default();
        let there = missing.words.iter().any(|(word, _)| text.contains(word.as_str()));
        // Once made, a record is there: whoever asks twice is answered differently.
        if !there || text.starts_with("POST /api/casts HTTP") || text.contains("/auth/login") {
            continue;
        }
        // Those of one principal, and of admins, are asked the same by the probes.
        for (who, target) in asker.credentials().into_iter().filter(|(who, _)| !who.contains("admin")) {
            let (theirs, nobodys) = (call.clone().by(target), missing.instead(&call).by(target));
            if missing.are_alike(theirs.clone(), nobodys.clone()).await.is_err() {
                // A stream may not have said all yet.
                let again = missing.are_alike(theirs.patient(), nobodys.patient()).await;
                again.unwrap_or_else(|why| panic!("{} by {who}: {why}", call.name()));
            }
            compared += 1;
        }
    }
    assert!(compared >= 1_000, "{compared}");
    report(format!(
        "tenants: {compared} requests for what is another's and for what is not there, answered alike"
    ));
}

/// Words of the victim's, and others of the same shape that nobody has.
struct Missing {
    address: SocketAddr,
    words: Vec<(String, String)>,
}

impl Missing {
    fn of(victim: &Side) -> Self {
        let other = |text: &str| {
            let (kept, own) = text.split_at(text.len().saturating_sub(8));
            let own: String = own.chars().map(|c| if c == 'q' { 'r' } else { 'q' }).collect();
            (text.to_owned(), format!("{kept}{own}"))
        };
        let ids = [&victim.only, &victim.only_channel, &victim.session, &victim.cookie_session];
        let users = [&victim.admin.id, &victim.member.id];
        let address = victim.key.address;
        Self { address, words: ids.into_iter().chain(users).map(|word| other(word)).collect() }
    }

    fn instead(&self, call: &Call) -> Call {
        let replace = |text: &str| {
            self.words.iter().fold(text.to_owned(), |text, (word, other)| {
                let text = text.replace(word.as_str(), other);
                let text = text.replace(&word.to_uppercase(), &other.to_uppercase());
                // Also where its first character is escaped.
                text.replace(&word[1..], &other[1..])
            })
        };
        call.map_text(replace)
    }

    /// Whether both are answered alike; else how not.
    async fn are_alike(&self, theirs: Call, nobodys: Call) -> Result<(), String> {
        let [theirs, nobodys] = [theirs.make(self.address).await, nobodys.make(self.address).await]
            .map(|reply| self.told(&reply));
        if theirs == nobodys {
            Ok(())
        } else {
            Err(format!("{theirs:?}\nfor what is there, and else\n{nobodys:?}"))
        }
    }

    /// What the reply tells, without what differs from moment to moment, and with one name for both words.
    fn told(&self, reply: &Reply) -> (u16, String, Vec<String>) {
        let mut body = String::from_utf8_lossy(&reply.body).into_owned();
        let mut head: Vec<String> =
            String::from_utf8_lossy(&reply.head_text).lines().map(str::to_ascii_lowercase).collect();
        head.retain(|line| {
            !["date:", "content-length:", "tidings-cursor:"].iter().any(|name| line.starts_with(name))
        });
        head.sort();
        for (word, other) in &self.words {
            for form in [word.clone(), other.clone(), word.to_uppercase(), other.to_uppercase()] {
                body = body.replace(&form, "…");
            }
        }
        (reply.status, without_moments(&body), head)
    }
}

/// Ids of streams, positions, tickets and times are new each time.
fn without_moments(body: &str) -> String {
    let mut text = String::new();
    for (index, piece) in body.split('"').enumerate() {
        let is_position = piece.len() == 21 && piece.as_bytes()[13] == b'.';
        let is_drawn = piece.starts_with("tdt_")
            || piece.len() == 26 && piece.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_time = piece.len() == 24 && piece.ends_with('Z');
        if index > 0 {
            text.push('"');
        }
        text.push_str(if is_position || is_drawn || is_time { "…" } else { piece });
    }
    let lines = text.lines().filter(|line| !line.starts_with("id:") && !line.starts_with("id: "));
    lines.collect::<Vec<_>>().join("\n")
}
