//! Cookie sessions: where a user is signed in, for how long, and how often at most.

use std::time::Duration;

use tidings_core::port::directory::KeyHash;
use tidings_core::port::users::{COOKIE_SESSIONS, CookieSession, UserId};
use tidings_core::port::{Clock, Users};
use tidings_protocol::time::Timestamp;

use super::Harness;
use super::directory::is_missing;
use super::kit::{Bench, HOUR, tenant};
use super::users::{password, user, user_id};

const SECOND: Duration = Duration::from_secs(1);

/// A bench with the users `usr_1` and `usr_2`.
async fn with_users<H: Harness>(harness: H) -> (Bench<H>, UserId, UserId) {
    let bench = Bench::start(harness).await;
    for (id, email) in [("usr_1", "a@example.com"), ("usr_2", "b@example.com")] {
        bench.node().add_user(&user(id, &tenant("default"), email), &password("1")).await.unwrap();
    }
    (bench, user_id("usr_1"), user_id("usr_2"))
}

fn token(n: usize) -> KeyHash {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(n as u64).to_le_bytes());
    KeyHash(bytes)
}

/// A session that ends by itself after an hour.
fn session<H: Harness>(bench: &Bench<H>, of: &UserId, n: usize) -> CookieSession {
    let created_at = bench.clock.now();
    let expires_at = Timestamp(created_at.0 + i64::try_from(HOUR.as_millis()).unwrap());
    let (ip_address, user_agent) = (Some("192.0.2.7".to_owned()), Some("Browser/1 é".to_owned()));
    CookieSession { id: format!("ses_{n}"), user: of.clone(), created_at, expires_at, ip_address, user_agent }
}

async fn sign_in<H: Harness>(bench: &Bench<H>, of: &UserId, n: usize) -> Vec<String> {
    bench.node().add_cookie_session(&session(bench, of, n), token(n)).await.unwrap()
}

async fn ids<H: Harness>(bench: &Bench<H>, of: &UserId) -> Vec<String> {
    bench.node().cookie_sessions(of).await.unwrap().into_iter().map(|session| session.id).collect()
}

/// Sessions are found by their token with the user as it is, and listed newest first, over a restart too.
pub async fn sessions_are_found_by_token_and_listed(harness: impl Harness) {
    let (mut bench, one, two) = with_users(harness).await;
    let stored = session(&bench, &one, 1);
    for (of, n) in [(&one, 1), (&two, 2), (&one, 3)] {
        assert!(sign_in(&bench, of, n).await.is_empty());
    }
    let bare = CookieSession { ip_address: None, user_agent: None, ..session(&bench, &two, 4) };
    bench.node().add_cookie_session(&bare, token(4)).await.unwrap();
    for _ in 0..2 {
        let (found, of) = bench.node().find_cookie_session(token(1)).await.unwrap().unwrap();
        assert_eq!((&found, &of.id), (&stored, &one));
        assert_eq!(bench.node().find_cookie_session(token(4)).await.unwrap().unwrap().0, bare);
        assert_eq!(bench.node().find_cookie_session(token(9)).await.unwrap(), None);
        assert_eq!(ids(&bench, &one).await, ["ses_3", "ses_1"]);
        assert_eq!(ids(&bench, &two).await, ["ses_4", "ses_2"]);
        assert_eq!(ids(&bench, &user_id("usr_3")).await, Vec::<String>::new());
        bench.restart().await;
    }
}

/// No session without its user.
pub async fn a_session_needs_its_user(harness: impl Harness) {
    let (bench, one, _) = with_users(harness).await;
    let nobodys = session(&bench, &user_id("usr_3"), 1);
    assert!(is_missing(&bench.node().add_cookie_session(&nobodys, token(1)).await));
    assert_eq!(bench.node().find_cookie_session(token(1)).await.unwrap(), None);
    sign_in(&bench, &one, 1).await;
}

/// From its end on a session is given to nobody, whether or not it was removed already.
pub async fn a_session_ends_with_its_time(harness: impl Harness) {
    let (mut bench, one, _) = with_users(harness).await;
    sign_in(&bench, &one, 1).await;
    bench.clock.advance(HOUR - SECOND);
    sign_in(&bench, &one, 2).await;
    assert!(bench.node().find_cookie_session(token(1)).await.unwrap().is_some());
    bench.clock.advance(SECOND);
    for _ in 0..2 {
        assert_eq!(bench.node().find_cookie_session(token(1)).await.unwrap(), None);
        assert!(bench.node().find_cookie_session(token(2)).await.unwrap().is_some());
        assert_eq!(ids(&bench, &one).await, ["ses_2"]);
        bench.trim().await;
        bench.restart().await;
    }
    assert_eq!(bench.node().end_cookie_sessions(&one, None).await.unwrap(), ["ses_2"]);
}

/// One session of a user is ended by its id, or all; those of others stay.
pub async fn sessions_are_ended_one_or_all(harness: impl Harness) {
    let (mut bench, one, two) = with_users(harness).await;
    for (of, n) in [(&one, 1), (&one, 2), (&one, 3), (&two, 4)] {
        sign_in(&bench, of, n).await;
    }
    let none = Vec::<String>::new();
    assert_eq!(bench.node().end_cookie_sessions(&one, Some("ses_4")).await.unwrap(), none, "another user's");
    assert_eq!(bench.node().end_cookie_sessions(&one, Some("ses_2")).await.unwrap(), ["ses_2"]);
    assert_eq!(bench.node().end_cookie_sessions(&one, Some("ses_2")).await.unwrap(), none);
    assert_eq!(bench.node().find_cookie_session(token(2)).await.unwrap(), None);
    bench.restart().await;
    assert_eq!(ids(&bench, &one).await, ["ses_3", "ses_1"]);
    let mut ended = bench.node().end_cookie_sessions(&one, None).await.unwrap();
    ended.sort();
    assert_eq!(ended, ["ses_1", "ses_3"]);
    assert_eq!(ids(&bench, &one).await, none);
    assert_eq!(ids(&bench, &two).await, ["ses_4"]);
    assert_eq!(bench.node().end_cookie_sessions(&user_id("usr_3"), None).await.unwrap(), none);
}

/// One sign-in too many takes the place of the oldest, and says so.
pub async fn too_many_sessions_end_the_oldest(harness: impl Harness) {
    let (bench, one, two) = with_users(harness).await;
    sign_in(&bench, &two, COOKIE_SESSIONS + 2).await;
    for n in 0..COOKIE_SESSIONS {
        assert!(sign_in(&bench, &one, n).await.is_empty());
    }
    assert_eq!(sign_in(&bench, &one, COOKIE_SESSIONS).await, ["ses_0"]);
    assert_eq!(sign_in(&bench, &one, COOKIE_SESSIONS + 1).await, ["ses_1"]);
    let left = ids(&bench, &one).await;
    assert_eq!(left.len(), COOKIE_SESSIONS);
    assert_eq!(left.last().map(String::as_str), Some("ses_2"));
    assert_eq!(bench.node().find_cookie_session(token(0)).await.unwrap(), None);
    assert_eq!(ids(&bench, &two).await.len(), 1, "each user has its own");
    bench.clock.advance(HOUR);
    assert!(sign_in(&bench, &one, COOKIE_SESSIONS + 3).await.is_empty(), "what was over is no one's loss");
}
