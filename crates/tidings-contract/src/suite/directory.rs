//! The directory: tenants and keys.

use tidings_core::port::directory::{ApiKey, DirectoryError, Grant, KeyHash};
use tidings_core::port::{Clock, Directory, Log, Users};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Seq, TenantId};

use super::Harness;
use super::kit::{Bench, HOUR, draft, tenant};
use super::users::{password, user, user_id};

fn key(id: &str, of: &TenantId, name: &str, created_at: Timestamp) -> ApiKey {
    let grants = ["publish:*", "subscribe:cast:*", "subscribe:a"].map(|text| text.parse().unwrap()).to_vec();
    let (expires_at, revoked_at) = (Some(Timestamp(created_at.0 + 5)), None);
    ApiKey {
        id: id.into(),
        tenant: of.clone(),
        name: name.into(),
        user: None,
        grants,
        created_at,
        expires_at,
        revoked_at,
    }
}

fn hash(byte: u8) -> KeyHash {
    KeyHash([byte; 32])
}

/// Whether a name was refused as taken.
pub(super) fn is_taken<T>(answer: &Result<T, DirectoryError>) -> bool {
    matches!(answer, Err(DirectoryError::Taken))
}

/// Whether something was refused as missing.
pub(super) fn is_missing<T>(answer: &Result<T, DirectoryError>) -> bool {
    matches!(answer, Err(DirectoryError::Missing))
}

async fn names<H: Harness>(bench: &Bench<H>) -> Vec<String> {
    let tenants = bench.node().tenants().await.unwrap();
    tenants.iter().map(|tenant| tenant.id.to_string()).collect()
}

/// The tenant `default` exists from the first start, and is not made again.
pub async fn the_default_tenant_exists(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let first = bench.node().tenants().await.unwrap();
    assert_eq!(first.iter().map(|tenant| tenant.id.as_str()).collect::<Vec<_>>(), ["default"]);
    assert!(is_taken(&bench.node().add_tenant(&tenant("default")).await));
    bench.clock.advance(HOUR);
    bench.restart().await;
    assert_eq!(bench.node().tenants().await.unwrap(), first);
}

/// Tenants are there at once and after a restart, by name; a name is given once.
pub async fn tenants_are_listed_by_name(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    for name in ["zeta", "alpha", "e-1"] {
        let made = bench.node().add_tenant(&tenant(name)).await.unwrap();
        assert_eq!((made.id, made.created_at), (tenant(name), bench.clock.now()));
    }
    assert!(is_taken(&bench.node().add_tenant(&tenant("zeta")).await));
    for _ in 0..2 {
        assert_eq!(names(&bench).await, ["alpha", "default", "e-1", "zeta"]);
        bench.restart().await;
    }
}

/// A tenant made while the node runs is served under a lineage that is known after the next start.
pub async fn a_new_tenant_has_a_log_of_its_own(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let new = tenant("new");
    bench.node().add_tenant(&new).await.unwrap();
    bench.tenant = new;
    let empty = bench.bounds().await;
    assert_eq!((empty.floor.seq, empty.head.seq), (Seq::ZERO, Seq::ZERO));
    let ids = bench.publish_many("a", 2).await;
    bench.restart().await;
    for cursor in [empty.floor, empty.head, ids[0], ids[1]] {
        assert!(bench.knows(cursor).await, "{cursor}");
    }
    let page = bench.node().bounds(&tenant("default")).await.unwrap();
    assert_eq!(page.head.seq, Seq::ZERO);
    bench.publish(draft("a")).await;
}

/// A key reads as it was stored, by its hash and in the lists, oldest first.
pub async fn keys_are_found_by_hash_and_listed(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    bench.node().add_tenant(&other).await.unwrap();
    let keys = [
        key("key_z", &own, "z", Timestamp(10)),
        key("key_b", &other, "z", Timestamp(20)),
        key("key_a", &own, "a", Timestamp(30)),
    ];
    for (n, stored) in (1..).zip(&keys) {
        bench.node().add_key(stored, hash(n)).await.unwrap();
    }
    for _ in 0..2 {
        let node = bench.node();
        assert_eq!(node.find_key(hash(1)).await.unwrap().as_ref(), Some(&keys[0]));
        assert_eq!(node.find_key(hash(2)).await.unwrap().as_ref(), Some(&keys[1]));
        assert_eq!(node.find_key(hash(9)).await.unwrap(), None);
        assert_eq!(node.keys(None).await.unwrap(), keys);
        assert_eq!(node.keys(Some(&own)).await.unwrap(), [keys[0].clone(), keys[2].clone()]);
        assert_eq!(node.keys(Some(&other)).await.unwrap(), [keys[1].clone()]);
        bench.restart().await;
    }
}

/// A name is taken as long as its key is not revoked, within its tenant.
pub async fn a_taken_name_is_refused_until_its_key_is_revoked(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    let node = bench.node();
    node.add_tenant(&other).await.unwrap();
    node.add_key(&key("key_1", &own, "ci", Timestamp(1)), hash(1)).await.unwrap();
    assert!(is_taken(&node.add_key(&key("key_2", &own, "ci", Timestamp(2)), hash(2)).await));
    assert_eq!(node.find_key(hash(2)).await.unwrap(), None);
    node.add_key(&key("key_3", &other, "ci", Timestamp(3)), hash(3)).await.unwrap();
    node.revoke_key("key_1").await.unwrap();
    node.add_key(&key("key_4", &own, "ci", Timestamp(4)), hash(4)).await.unwrap();
    assert_eq!(node.keys(Some(&own)).await.unwrap().len(), 2, "revoked ones stay in the list");
}

/// Revoking notes the time once; the key is still found, whatever its state.
pub async fn revoking_twice_changes_nothing(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let own = tenant("default");
    let stored = key("key_1", &own, "ci", Timestamp(1));
    bench.node().add_key(&stored, hash(1)).await.unwrap();
    let at = bench.clock.now();
    let revoked = bench.node().revoke_key("key_1").await.unwrap();
    assert_eq!(revoked, ApiKey { revoked_at: Some(at), ..stored });
    bench.clock.advance(HOUR);
    bench.restart().await;
    assert_eq!(bench.node().revoke_key("key_1").await.unwrap(), revoked);
    assert_eq!(bench.node().find_key(hash(1)).await.unwrap(), Some(revoked));
    assert!(is_missing(&bench.node().revoke_key("key_2").await));
}

/// No key without its tenant.
pub async fn a_key_needs_its_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let answer = bench.node().add_key(&key("key_1", &tenant("nobody"), "ci", Timestamp(1)), hash(1)).await;
    assert!(is_missing(&answer));
    assert_eq!(bench.node().find_key(hash(1)).await.unwrap(), None);
}

/// A service key gets other grants; a revoked one, one that acts as a user, and none do not.
pub async fn a_service_key_gets_other_grants(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let own = tenant("default");
    let node = bench.node();
    node.add_user(&user("usr_1", &own, "a@example.com"), &password("1")).await.unwrap();
    let service = key("key_1", &own, "ci", Timestamp(1));
    let acting =
        ApiKey { user: Some(user_id("usr_1")), grants: Vec::new(), ..key("key_2", &own, "me", Timestamp(2)) };
    node.add_key(&service, hash(1)).await.unwrap();
    node.add_key(&acting, hash(2)).await.unwrap();
    node.add_key(&key("key_3", &own, "old", Timestamp(3)), hash(3)).await.unwrap();
    let revoked = node.revoke_key("key_3").await.unwrap();
    let grants: Vec<Grant> = ["subscribe:b:*", "publish:c"].map(|text| text.parse().unwrap()).to_vec();
    let expected = ApiKey { grants: grants.clone(), ..service };
    assert_eq!(node.set_grants("key_1", &grants).await.unwrap(), expected);
    for id in ["key_2", "key_3", "key_4"] {
        assert!(is_missing(&node.set_grants(id, &grants).await), "{id}");
    }
    bench.restart().await;
    assert_eq!(bench.node().keys(None).await.unwrap(), [expected.clone(), acting, revoked]);
    assert_eq!(
        bench.node().set_grants("key_1", &[]).await.unwrap(),
        ApiKey { grants: Vec::new(), ..expected }
    );
}

/// A key acts as a user of its own tenant, and of no other.
pub async fn a_key_acts_as_a_user_of_its_tenant(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    let node = bench.node();
    node.add_tenant(&other).await.unwrap();
    node.add_user(&user("usr_1", &own, "a@example.com"), &password("1")).await.unwrap();
    let acting = |of: &TenantId, id: &str| ApiKey {
        user: Some(user_id(id)),
        grants: Vec::new(),
        ..key("key_1", of, "me", Timestamp(1))
    };
    assert!(is_missing(&node.add_key(&acting(&other, "usr_1"), hash(1)).await));
    assert!(is_missing(&node.add_key(&acting(&own, "usr_2"), hash(1)).await));
    assert_eq!(node.keys(None).await.unwrap(), []);
    node.add_key(&acting(&own, "usr_1"), hash(1)).await.unwrap();
    bench.restart().await;
    assert_eq!(bench.node().find_key(hash(1)).await.unwrap(), Some(acting(&own, "usr_1")));
}
