//! Sessions' cookies.

use std::time::Duration;

use tidings_acceptance::wait::until;
use tidings_acceptance::{Call, ServerOptions, Target, User, report};

use crate::near::near;
use crate::world::{Sent, World, queried, sent};

/// The cookie's value.
fn token(target: &Target) -> String {
    target.key.strip_prefix("tidings_session=").unwrap().to_owned()
}

/// Values of cookies that were good and have ended, each in another way, and the id of one's session. Also the user, who
/// has a new password.
async fn ended(world: &World, user: User, key: &Target) -> (Vec<(&'static str, String)>, User) {
    let address = world.server.address();
    let out = token(&user.sign_in(address).await);
    let signed_out = Call::new("POST", "/auth/logout").line(format!("cookie: tidings_session={out}"));
    assert_eq!(signed_out.make(address).await.status, 204);
    let ended = token(&user.sign_in(address).await);
    let sessions = Call::get("/auth/sessions").line(format!("cookie: tidings_session={ended}"));
    let items = sessions.make(address).await.json()["items"].take();
    let id = items.as_array().unwrap().iter().find(|item| item["current"] == true).unwrap()["id"].clone();
    let id = id.as_str().unwrap().to_owned();
    let end = Call::new("DELETE", format!("/auth/sessions/{id}")).by(key);
    assert_eq!(end.make(address).await.status, 204);
    let gone = world.admin("gone").await;
    let disabled = token(&gone.sign_in(address).await);
    world.server.json(&["user", "disable", &gone.email]).await;
    let before = token(&user.sign_in(address).await);
    let file = world.server.scratch().join("password");
    std::fs::write(&file, "another password than before\n").unwrap();
    let file = file.to_str().unwrap();
    world.server.json(&["user", "password", &user.email, "--password-file", file]).await;
    let user = User { password: "another password than before".to_owned(), ..user };
    let ended = [
        ("signed out", out),
        ("ended", ended),
        ("a session's id", id),
        ("of a disabled user", disabled),
        ("before the new password", before),
    ];
    (ended.into(), user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies() {
    let mut world = World::start(ServerOptions::unlimited()).await;
    let address = world.server.address();
    let user = world.admin("cookies").await;
    let (_, key) = user.key(&world.server, "its").await;
    let (ended, user) = ended(&world, user, &key).await;
    let good = token(&user.sign_in(address).await);
    let (_stream, session) = world.stream(&key).await;

    let cookie = |value: &str| format!("cookie: tidings_session={value}");
    let mut twins = 0;
    for (what, line) in [
        ("alone", cookie(&good)),
        ("among others", format!("cookie: a=1; tidings_session={good}; theme=dark; tidings_session2=x")),
        ("behind an empty one", format!("cookie: ; ;tidings_session={good};")),
    ] {
        twins += world.all_accept(&sent(what, &[&line]), &session).await;
    }
    let mut bad: Vec<Sent> = ended.iter().map(|(what, value)| sent(*what, &[&cookie(value)])).collect();
    for (what, value) in
        near(&good).into_iter().filter(|(what, _)| !["a space before", "a tab before"].contains(what))
    {
        bad.push(sent(what, &[&cookie(&value)]));
    }
    bad.extend(misplaced(&good));
    let count = world.none_accepts(&bad, &session).await;
    world.ends_all(&sent("alone", &[&cookie(&good)])).await;
    report(format!(
        "forged: {} forged, ended or doubled cookies: {count}, 0 accepted; {twins} twins accepted",
        bad.len()
    ));
}

/// A good cookie's value twice, beside another credential, or where it does not count.
fn misplaced(good: &str) -> Vec<Sent> {
    let line = format!("cookie: tidings_session={good}");
    let mut bad = vec![
        sent("twice in a line", &[&format!("{line}; tidings_session={good}")]),
        sent("twice, another first", &[&format!("cookie: tidings_session=tds_x; tidings_session={good}")]),
        sent("twice, another last", &[&format!("{line}; tidings_session=tds_x")]),
        sent("in two lines", &[&line, &line]),
        sent("in two lines, another last", &[&line, "cookie: tidings_session=tds_x"]),
        sent("beside a key that is not good", &[&line, "authorization: Bearer tdk_another"]),
        sent("beside an x-api-key that is not good", &[&line, "x-api-key: tdk_another"]),
        sent("beside Basic", &[&line, "authorization: Basic YTpi"]),
        sent("as Authorization: Cookie", &[&format!("authorization: Cookie tidings_session={good}")]),
        sent("in set-cookie", &[&format!("set-cookie: tidings_session={good}")]),
        sent("in cookie2", &[&format!("cookie2: tidings_session={good}")]),
    ];
    for name in [
        "Tidings_session",
        "TIDINGS_SESSION",
        "tidings-session",
        "tidings_session2",
        "xtidings_session",
        "__Host-tidings_session",
        "__Secure-tidings_session",
        "session",
        "$tidings_session",
        "tidings_session[]",
        "tidings%5Fsession",
    ] {
        bad.push(sent(format!("named {name}"), &[&format!("cookie: {name}={good}")]));
    }
    bad.extend([queried(format!("tidings_session={good}")), queried(format!("ticket={good}"))]);
    bad
}

#[tokio::test]
async fn a_cookie_is_over_with_its_time() {
    let options = ServerOptions::unlimited().set("auth.session_lifetime", "2s");
    let mut world = World::start(options).await;
    let address = world.server.address();
    let user = world.admin("brief").await;
    let cookie = user.sign_in(address).await;
    let (_, key) = user.key(&world.server, "its").await;
    let (_stream, session) = world.stream(&key).await;
    assert!(Call::get("/auth/me").by(&cookie).make(address).await.is_good());
    until(Duration::from_secs(5), "the cookie to expire", async || {
        (Call::get("/auth/me").by(&cookie).make(address).await.status == 401).then_some(())
    })
    .await;
    let expired = [sent("expired", &[&cookie.credential()])];
    let count = world.none_accepts(&expired, &session).await;
    let twin = user.sign_in(address).await;
    assert!(Call::get("/auth/me").by(&twin).make(address).await.is_good());
    report(format!("forged: an expired cookie: {count}"));
}
