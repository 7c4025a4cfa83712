//! Users: ids and emails, passwords, and being disabled.

use tidings_core::port::directory::{DirectoryError, KeyHash};
use tidings_core::port::users::{CookieSession, PasswordHash, Role, User, UserId};
use tidings_core::port::{Clock, Directory, Users};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::Harness;
use super::directory::{is_missing, is_taken};
use super::kit::{Bench, HOUR, tenant};

/// An id.
pub(super) fn user_id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

/// A member of a tenant.
pub(super) fn user(id: &str, of: &TenantId, email: &str) -> User {
    User {
        id: user_id(id),
        tenant: of.clone(),
        email: Some(email.into()),
        role: Role::Member,
        created_at: Timestamp(1_700_000_000_123),
        disabled_at: None,
    }
}

/// A password.
pub(super) fn password(text: &str) -> PasswordHash {
    PasswordHash(format!("$argon2id${text}"))
}

async fn signed_in<H: Harness>(bench: &Bench<H>, of: &UserId, byte: u8) -> bool {
    let created_at = bench.clock.now();
    let session = CookieSession {
        id: format!("ses_{byte}"),
        user: of.clone(),
        created_at,
        expires_at: Timestamp(created_at.0 + 1_000_000_000),
        ip_address: None,
        user_agent: None,
    };
    let added = bench.node().add_cookie_session(&session, KeyHash([byte; 32])).await;
    assert!(added.is_ok() || is_missing(&added));
    added.is_ok()
}

/// Users are found by id and by email in any case, and listed oldest first, over a restart too.
pub async fn users_are_found_by_id_and_email_and_listed(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    bench.node().add_tenant(&other).await.unwrap();
    let users = [
        User { role: Role::Admin, ..user("usr_2", &own, "a@example.com") },
        user("usr_1", &other, "b@example.com"),
        user("google|7 é", &own, "zoë@example.com"),
    ];
    for (user, text) in users.iter().zip(["a", "b", "c"]) {
        bench.node().add_user(user, &password(text)).await.unwrap();
    }
    for _ in 0..2 {
        let node = bench.node();
        assert_eq!(node.find_user(&users[2].id).await.unwrap().as_ref(), Some(&users[2]));
        assert_eq!(node.find_user(&user_id("usr_3")).await.unwrap(), None);
        let expected = Some((users[0].clone(), password("a")));
        assert_eq!(node.find_login("a@example.com").await.unwrap(), expected);
        assert_eq!(node.find_login("A@Example.COM").await.unwrap(), expected);
        assert_eq!(node.find_login("ZOË@example.com").await.unwrap().unwrap().0, users[2]);
        assert_eq!(node.find_login("a@example.org").await.unwrap(), None);
        assert_eq!(node.users(None).await.unwrap(), users);
        assert_eq!(node.users(Some(&own)).await.unwrap(), [users[0].clone(), users[2].clone()]);
        assert_eq!(node.users(Some(&tenant("nobody"))).await.unwrap(), []);
        Users::health(&**node).unwrap();
        bench.restart().await;
    }
}

/// An id and an email are one user's, over all tenants; a refused user leaves nothing.
pub async fn an_id_and_an_email_are_taken_over_all_tenants(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    let node = bench.node();
    node.add_tenant(&other).await.unwrap();
    node.add_user(&user("usr_1", &own, "a@example.com"), &password("1")).await.unwrap();
    for clash in [user("usr_1", &other, "b@example.com"), user("usr_2", &other, "a@example.com")] {
        assert!(is_taken(&node.add_user(&clash, &password("2")).await));
    }
    assert!(is_missing(
        &node.add_user(&user("usr_3", &tenant("nobody"), "c@example.com"), &password("3")).await
    ));
    assert_eq!(node.users(None).await.unwrap().len(), 1);
    assert_eq!(node.find_login("a@example.com").await.unwrap().unwrap().1, password("1"));
    node.add_user(&user("usr_2", &other, "b@example.com"), &password("2")).await.unwrap();
}

/// A new password ends every cookie session of that user, and of nobody else.
pub async fn a_new_password_ends_the_cookie_sessions(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let own = tenant("default");
    let (one, two) = (user("usr_1", &own, "a@example.com"), user("usr_2", &own, "b@example.com"));
    for user in [&one, &two] {
        bench.node().add_user(user, &password("old")).await.unwrap();
    }
    for (of, byte) in [(&one, 1), (&one, 2), (&two, 3)] {
        assert!(signed_in(&bench, &of.id, byte).await);
    }
    assert_eq!(bench.node().set_password(&one.id, &password("new")).await.unwrap().len(), 2);
    assert!(is_missing(&bench.node().set_password(&user_id("usr_3"), &password("new")).await));
    bench.restart().await;
    let node = bench.node();
    assert_eq!(node.find_login("a@example.com").await.unwrap().unwrap().1, password("new"));
    assert_eq!(node.find_login("b@example.com").await.unwrap().unwrap().1, password("old"));
    assert_eq!(node.cookie_sessions(&one.id).await.unwrap(), []);
    assert_eq!(node.find_cookie_session(KeyHash([1; 32])).await.unwrap(), None);
    assert!(node.find_cookie_session(KeyHash([3; 32])).await.unwrap().is_some());
    assert!(signed_in(&bench, &one.id, 4).await);
}

/// Disabling notes the time once, ends the cookie sessions, and lets none begin.
pub async fn a_disabled_user_is_signed_in_nowhere(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let own = tenant("default");
    let stored = user("usr_1", &own, "a@example.com");
    bench.node().add_user(&stored, &password("1")).await.unwrap();
    assert!(signed_in(&bench, &stored.id, 1).await);
    let at = bench.clock.now();
    let disabled = bench.node().disable_user(&stored.id, Some(&own)).await.unwrap();
    assert_eq!(disabled, User { disabled_at: Some(at), ..stored });
    assert_eq!(bench.node().find_cookie_session(KeyHash([1; 32])).await.unwrap(), None);
    bench.clock.advance(HOUR);
    bench.restart().await;
    assert_eq!(bench.node().disable_user(&disabled.id, None).await.unwrap(), disabled);
    assert_eq!(bench.node().find_user(&disabled.id).await.unwrap().as_ref(), Some(&disabled));
    assert_eq!(bench.node().find_login("a@example.com").await.unwrap().unwrap().0, disabled);
    assert!(!signed_in(&bench, &disabled.id, 2).await);
    assert_eq!(bench.node().cookie_sessions(&disabled.id).await.unwrap(), []);
}

/// An id that only tokens name is entered as disabled, in the tenant that is given and nowhere else.
pub async fn an_id_of_tokens_is_entered_as_disabled(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    let node = bench.node();
    node.add_tenant(&other).await.unwrap();
    let id = user_id("issuer|sub-7");
    assert!(is_missing(&node.disable_user(&id, None).await));
    assert!(is_missing(&node.disable_user(&id, Some(&tenant("nobody"))).await));
    assert_eq!(node.find_user(&id).await.unwrap(), None);
    let now = bench.clock.now();
    let entered = node.disable_user(&id, Some(&other)).await.unwrap();
    let expected = User {
        id: id.clone(),
        tenant: other.clone(),
        email: None,
        role: Role::Member,
        created_at: now,
        disabled_at: Some(now),
    };
    assert_eq!(entered, expected);
    assert_eq!(node.find_user(&id).await.unwrap(), Some(expected.clone()));
    assert!(matches!(node.disable_user(&id, Some(&own)).await, Err(DirectoryError::Taken)));
    assert_eq!(node.disable_user(&id, Some(&other)).await.unwrap(), expected);
    node.disable_user(&user_id("issuer|sub-8"), Some(&own)).await.unwrap();
    assert_eq!(node.users(None).await.unwrap().len(), 2, "none of them has an email, and that is no clash");
}
