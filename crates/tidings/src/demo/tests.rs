//! The demo's credentials over a store, start after start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tidings_core::port::{Directory, Users};
use tidings_server::admin::NothingOpen;
use tidings_server::auth::{hash_key, password};
use tidings_sqlite::SqliteStore;

use super::*;
use crate::parts;

#[test]
fn the_demo_can_be_published() {
    let drafts = parse_publish(EVENTS.as_bytes()).unwrap();
    assert!(drafts.iter().all(|draft| draft.channel.as_str() == "demo" && draft.idempotency_key.is_some()));
}

async fn started(store: &Arc<SqliteStore>, directory: &Path) -> Demo {
    let admin = Admin::new(Arc::clone(store), parts::clock(), Arc::new(NothingOpen));
    prepare(&admin, &**store, directory).await.unwrap()
}

fn secrets(demo: &Demo) -> [String; 4] {
    [files::KEY, files::MEMBER_KEY, files::MEMBER_PASSWORD, files::ADMIN_PASSWORD]
        .map(|name| demo.files.read(name).unwrap())
}

#[tokio::test]
async fn each_start_draws_anew_and_ends_what_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = parts::open_for_command(folder.path()).unwrap();
    let first = started(&store, folder.path()).await;
    let [old_key, old_member_key, old_password, _] = secrets(&first);
    let second = started(&store, folder.path()).await;
    let [key, member_key, member_password, admin_password] = secrets(&second);
    assert_eq!(first.member, second.member);

    let is_good = async |key: &str| {
        let found = store.find_key(hash_key(key)).await.unwrap().unwrap();
        (found.revoked_at.is_none(), found.user.map(|user| user.to_string()))
    };
    assert!(!is_good(&old_key).await.0 && !is_good(&old_member_key).await.0);
    assert_eq!(is_good(&key).await, (true, None));
    assert_eq!(is_good(&member_key).await, (true, Some(second.member.clone())));
    let signs_in = async |email: &str, password: &str| {
        let (_, kept) = store.find_login(email).await.unwrap().unwrap();
        password::verify(password, Some(&kept))
    };
    assert!(!signs_in(people::MEMBER_EMAIL, &old_password).await);
    assert!(signs_in(people::MEMBER_EMAIL, &member_password).await);
    assert!(signs_in(people::ADMIN_EMAIL, &admin_password).await);
    for name in [files::KEY, files::MEMBER_KEY, files::MEMBER_PASSWORD, files::ADMIN_PASSWORD, files::COOKIES]
    {
        let mode = fs::metadata(second.files.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close();
}
