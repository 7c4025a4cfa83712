//! Every cause and every transport under traffic.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tidings_acceptance::casts::send;
use tidings_acceptance::forged::Forger;
use tidings_acceptance::token_key::TokenKey;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Server, ServerOptions, Target, User, report, within};
use tidings_protocol::time::Timestamp;
use tokio::time::{Instant, sleep};

use crate::stream::{Log, Said, Stream, Way, numbers, refusal};
use crate::traffic::Traffic;
use crate::{AT_ONCE, PATIENCE, wall_millis};

/// So many events have come on each stream before its cause strikes, at least.
const EACH: u64 = 5;
pub(crate) const ISSUER: &str = "https://id.example.test";
const SECRET: &str = "a secret of the issuer";

/// A server that believes an issuer and lets every user read the channel.
pub(crate) fn options() -> ServerOptions {
    let secret = String::from_utf8(match TokenKey::hs256(SECRET) {
        TokenKey::Hs256(secret) => secret,
        _ => unreachable!(),
    });
    let issuers = json!([{
        "name": "id", "issuer": ISSUER, "audience": "tidings", "algorithms": ["HS256"],
        "keys": [{"algorithm": "HS256", "secret": secret.unwrap()}],
    }]);
    ServerOptions::new()
        .set("auth.issuers", &issuers.to_string())
        .set("auth.user_grants", "subscribe:live:*")
        .set("limits.streams_per_user", "0")
        .set("limits.connects_per_minute.session", "0")
}

/// A token for an admin that is good for so many seconds from now, which is whole.
pub(crate) fn token(address: SocketAddr, subject: &str, life: u64) -> Target {
    token_until(address, subject, life).0
}

/// The same, and when its time is over, in milliseconds since 1970.
fn token_until(address: SocketAddr, subject: &str, life: u64) -> (Target, i64) {
    let key = TokenKey::hs256(SECRET);
    let now = u64::try_from(wall_millis()).unwrap() / 1000;
    let claims = json!({"iss": ISSUER, "aud": "tidings", "sub": subject, "exp": now + life, "tidings": {"role": "admin"}});
    let forger = Forger { key: &key, kid: None, claims, now };
    let target = Target::new(address, &forger.with_claims(&json!({})));
    (target, i64::try_from((now + life) * 1_000).unwrap())
}

/// Whoever has streams that are about to end.
struct Doomed {
    cause: &'static str,
    target: Target,
    streams: Vec<Stream>,
}

impl Doomed {
    async fn new(cause: &'static str, target: Target) -> Self {
        let mut streams = Vec::new();
        for way in Way::ALL {
            streams.push(Stream::follow(way, &target).await);
        }
        Self { cause, target, streams }
    }

    /// Waits until events flow on all of them, and that none has ended.
    async fn flows(&mut self) {
        for stream in self.streams.iter_mut().filter(|stream| stream.way != Way::QuietPoll) {
            let before = stream.reached.borrow().0;
            let flowing = stream.reached.wait_for(|(count, _)| *count > before + EACH);
            within(PATIENCE, "events to flow", flowing).await.expect("a stream that lives");
        }
        assert!(self.streams.iter().all(Stream::is_open), "{}", self.cause);
    }

    /// Checks that everything is over since the cause, and stays so. `at` is when the cause had taken effect at the
    /// latest.
    async fn ends(self, (at, wall): (Instant, i64), reason: &str, refused: u16) -> Duration {
        let cause = self.cause;
        let mut slowest = Duration::ZERO;
        for stream in self.streams {
            let way = stream.way;
            let log = within(AT_ONCE + PATIENCE, &format!("{cause}: the end of {way:?}"), stream.log()).await;
            let ended = check(&log, way, cause, reason, wall);
            let took = ended.saturating_duration_since(at);
            assert!(took <= AT_ONCE, "{cause}: {way:?} ended after {took:?}");
            slowest = slowest.max(took);
        }
        for way in Way::ALL {
            let (status, code) = refusal(way, &self.target).await;
            assert_eq!(status, refused, "{cause}: {way:?} anew: {code}");
        }
        for path in ["/v1/history?channel=live:a", "/api/casts/live", "/v1/poll?channel=live:quiet"] {
            assert_eq!(send(&self.target, "GET", path, "", None).await.status(), refused, "{cause}: {path}");
        }
        slowest
    }
}

/// The log of a stream that has ended: the reason last, and no event of later than a second after the cause. When the
/// reason came.
fn check(log: &Log, way: Way, cause: &str, reason: &str, wall: i64) -> Instant {
    let what = format!("{cause} by {way:?}");
    let shown = &log[log.len().saturating_sub(3)..];
    let told = match way {
        Way::QuietPoll => {
            assert_eq!(log.last().unwrap().1, Said::Refused(401, reason.to_owned()), "{what}");
            log.last().unwrap()
        }
        Way::Poll => {
            // It may strike between two polls: the next one's credential is not valid, and nobody knows any more why.
            let codes = [reason, "unauthenticated"].map(|code| Said::Refused(401, code.to_owned()));
            assert!(codes.contains(&log.last().unwrap().1), "{what}: {shown:?}");
            log.last().unwrap()
        }
        Way::WebSocket => {
            assert_eq!(log.last().unwrap().1, Said::Closed(4002), "{what}: {shown:?}");
            &log[log.len() - 2]
        }
        _ => log.last().unwrap(),
    };
    if let Said::Control(name, data) = &told.1 {
        assert_eq!((name.as_str(), data), ("$end", &json!({"reason": reason, "retry": "auth"})), "{what}");
    } else {
        assert!(matches!(told.1, Said::Refused(..)), "{what}: {shown:?}");
    }
    let second_after = json!(Timestamp(wall + 1_000));
    let second_after = second_after.as_str().unwrap();
    let late = log
        .iter()
        .filter(|(_, said)| matches!(said, Said::Event { time, .. } if time.as_str() > second_after));
    assert_eq!(late.count(), 0, "{what}: events of later than a second after");
    let count = numbers(log).len() as u64;
    assert!(way == Way::QuietPoll || count > EACH, "{what}: {count} events");
    told.0
}

/// Now, by both clocks.
fn now() -> (Instant, i64) {
    (Instant::now(), wall_millis())
}

/// A server under traffic, and what the causes so far took.
struct Scene {
    server: Server,
    address: SocketAddr,
    slowest: Vec<Duration>,
}

impl Scene {
    /// A service key's id and target.
    async fn service(&self, name: &str, more: &[&str]) -> (String, Target) {
        let arguments = ["key", "create", "--name", name, "--grant", "subscribe:*", "--grant", "publish:x"];
        let made = self.server.json(&[&arguments, more].concat()).await;
        let text = |member: &str| made[member].as_str().unwrap();
        (text("id").to_owned(), Target::new(self.address, text("key")))
    }

    /// Keys that are revoked, lose their grants, expire.
    async fn keys(&mut self) {
        let (id, target) = self.service("revoked", &[]).await;
        let mut doomed = Doomed::new("key revoked", target).await;
        doomed.flows().await;
        self.server.json(&["key", "revoke", &id]).await;
        self.slowest.push(doomed.ends(now(), "revoked", 401).await);

        let (id, target) = self.service("ungranted", &[]).await;
        let mut doomed = Doomed::new("grants removed", target).await;
        doomed.flows().await;
        self.server.json(&["key", "ungrant", &id, "subscribe:*"]).await;
        self.slowest.push(doomed.ends(now(), "revoked", 403).await);

        let began = now();
        let (_, target) = self.service("expiring", &["--expires", "3s"]).await;
        let made = now();
        let mut doomed = Doomed::new("key expired", target).await;
        doomed.flows().await;
        sleep((began.0 + Duration::from_millis(2_950)).saturating_duration_since(Instant::now())).await;
        let is_early = wall_millis() < began.1 + 3_000;
        assert!(!is_early || doomed.streams.iter().all(Stream::is_open), "not before its time");
        let latest = (made.0 + Duration::from_secs(3), made.1 + 3_000);
        self.slowest.push(doomed.ends(latest, "expired", 401).await);
    }

    /// A token that expires.
    async fn token(&mut self) {
        let (target, expiry) = token_until(self.address, "joe", 4);
        let mut doomed = Doomed::new("token expired", target).await;
        doomed.flows().await;
        let left = u64::try_from(expiry - wall_millis()).expect("the token's time is not over");
        let at = (Instant::now() + Duration::from_millis(left), expiry);
        self.slowest.push(doomed.ends(at, "expired", 401).await);
    }

    /// Sessions: each alone, while others of the same user go on, and its key all the time.
    async fn sessions(&mut self, ann: &User, keyed: &Stream) {
        let other = ann.sign_in(self.address).await;
        let lives_on = Stream::follow(Way::Sse, &other).await;
        let session = ann.sign_in(self.address).await;
        let mut doomed = Doomed::new("signed out", session.clone()).await;
        doomed.flows().await;
        assert_eq!(send(&session, "POST", "/auth/logout", "", None).await.status(), 204);
        self.slowest.push(doomed.ends(now(), "signed_out", 401).await);

        let session = ann.sign_in(self.address).await;
        let listed = send(&session, "GET", "/auth/sessions", "", None).await.json();
        let current =
            listed["items"].as_array().unwrap().iter().find(|item| item["current"] == true).unwrap();
        let path = format!("/auth/sessions/{}", current["id"].as_str().unwrap());
        let mut doomed = Doomed::new("session ended elsewhere", session).await;
        doomed.flows().await;
        assert_eq!(send(&other, "DELETE", &path, "", None).await.status(), 204);
        self.slowest.push(doomed.ends(now(), "signed_out", 401).await);
        assert!(lives_on.is_open(), "the user's other session lives on");

        let mut doomed = Doomed::new("all sessions ended", ann.sign_in(self.address).await).await;
        doomed.flows().await;
        assert_eq!(send(&other, "DELETE", "/auth/sessions", "", None).await.status(), 204);
        self.slowest.push(doomed.ends(now(), "signed_out", 401).await);
        assert!(!lives_on.is_open(), "all of them");

        let mut doomed = Doomed::new("password changed", ann.sign_in(self.address).await).await;
        doomed.flows().await;
        self.server.json(&["user", "password", &ann.email, "--generate"]).await;
        self.slowest.push(doomed.ends(now(), "signed_out", 401).await);
        assert!(keyed.is_open(), "a key is no session");
    }

    /// A user who is disabled, by cookie and by key.
    async fn user(&mut self) {
        let joe = User::add(&self.server, "joe@example.test", &["--role", "admin"]).await;
        let (_, key) = joe.key(&self.server, "joes").await;
        let mut doomed = Doomed::new("user disabled", joe.sign_in(self.address).await).await;
        let mut by_key = Doomed::new("user disabled, by key", key).await;
        doomed.flows().await;
        by_key.flows().await;
        self.server.json(&["user", "disable", &joe.email]).await;
        let at = now();
        self.slowest.push(doomed.ends(at, "revoked", 401).await);
        self.slowest.push(by_key.ends(at, "revoked", 401).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_ends_every_transport() {
    let server = Server::start(options()).await;
    let address = server.address();
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let traffic = Traffic::start(&server, &ann.id).await;
    let mut scene = Scene { server, address, slowest: Vec::new() };
    let bystander = scene.service("bystander", &[]).await.1;
    let mut bystanders = Vec::new();
    for way in [Way::Sse, Way::SseOverHttp2, Way::WebSocket, Way::Poll, Way::Cast] {
        bystanders.push(Stream::follow(way, &bystander).await);
    }
    let keyed = Stream::follow(Way::WebSocket, &ann.key(&scene.server, "anns").await.1).await;

    scene.keys().await;
    scene.token().await;
    scene.sessions(&ann, &keyed).await;
    scene.user().await;

    // Others have noticed nothing.
    assert!(keyed.is_open());
    let [published, told] = traffic.stop().await;
    for mut stream in bystanders {
        assert!(stream.is_open(), "{:?}", stream.way);
        let goal = if stream.way == Way::Cast { told } else { published };
        until(PATIENCE, "the bystanders to have everything", async || {
            (stream.reached.borrow_and_update().1 >= goal).then_some(())
        })
        .await;
        // One that has lost something or had it twice has another count than number.
        let (count, last) = *stream.reached.borrow();
        let first = last + 1 - count;
        assert!(first <= 50, "{:?}: {count} events up to number {last}", stream.way);
    }
    report(format!(
        "now: {} causes × {} transports under {published} events; the slowest was over after {:?}",
        scene.slowest.len(),
        Way::ALL.len(),
        scene.slowest.iter().max().unwrap()
    ));
}
