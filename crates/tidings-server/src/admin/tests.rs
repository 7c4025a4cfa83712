//! The administration over the in-memory directory, by call and through the socket.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use parking_lot::Mutex;
use serde_json::json;
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::port::audit::{AuditEntry, AuditRow};
use tidings_core::port::store::{Batch, Commits, Policy};
use tidings_core::port::users::CookieSession;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::jwt::{Algorithm, IssuerConfig, KeySource};

use super::request::*;
use super::secret::SecretText;
use super::socket::{AdminSocket, NAME, ShortPath};
use super::*;

struct Deaf;

impl Commits for Deaf {
    fn committed(&self, _batch: Batch) {}
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Noted {
    fn note(&self, what: &str, id: &str) {
        self.0.lock().push(format!("{what} {id}"));
    }
}

impl Revocations for Noted {
    fn key_revoked(&self, id: &str) {
        self.note("revoked", id);
    }

    fn key_regranted(&self, key: &ApiKey) {
        let grants: Vec<String> = key.grants.iter().map(ToString::to_string).collect();
        self.note("regranted", &format!("{} {}", key.id, grants.join(" ")));
    }

    fn user_disabled(&self, user: &UserId) {
        self.note("disabled", user.as_str());
    }

    fn cookie_session_ended(&self, id: &str) {
        self.note("signed out", id);
    }
}

struct Bench {
    admin: Arc<Admin>,
    store: Arc<MemoryStore>,
    ended: Arc<Noted>,
    clock: Arc<TestClock>,
}

impl Bench {
    async fn done(&self, request: Request) -> Value {
        self.admin.carry_out(request).await.unwrap()
    }

    async fn refused(&self, request: Request) -> (&'static str, String) {
        let error = self.admin.carry_out(request).await.unwrap_err();
        (error.code(), error.to_string())
    }

    async fn add_user(&self, tenant: &str, email: &str) -> Login {
        serde_json::from_value(self.done(user(tenant, email)).await).unwrap()
    }

    /// The audit log's actions and what they were done to, oldest first.
    async fn audited(&self) -> Vec<(String, String)> {
        let page = self.done(Request::AuditRead(AuditRead { limit: 100, ..AuditRead::default() })).await;
        let page: AuditPage = serde_json::from_value(page).unwrap();
        let rows = page.rows.into_iter().rev();
        rows.map(|row| (row.action, row.resource_id.unwrap())).collect()
    }
}

fn user(tenant: &str, email: &str) -> Request {
    let (tenant, email, role) = (tenant.to_owned(), email.to_owned(), "member".to_owned());
    Request::UserAdd(UserAdd { tenant, email, role, password: None })
}

fn bench() -> Bench {
    bench_knowing(Configured::default())
}

fn bench_knowing(configured: Configured) -> Bench {
    let clock = Arc::new(TestClock::default());
    let store =
        MemoryStore::open(&MemoryDisk::default(), Arc::clone(&clock) as _, Policy::default(), Arc::new(Deaf));
    let store = Arc::new(store);
    let ended = Arc::new(Noted::default());
    let admin = Admin::new(Arc::clone(&store), Arc::clone(&clock) as _, Arc::clone(&ended) as _);
    Bench { admin: Arc::new(admin.configured(configured)), store, ended, clock }
}

fn wanted(tenant: &str, name: &str, grants: &[&str]) -> Request {
    Request::KeyCreate(KeyCreate {
        tenant: Some(tenant.to_owned()),
        name: name.to_owned(),
        grants: grants.iter().map(|&grant| grant.to_owned()).collect(),
        ..KeyCreate::default()
    })
}

fn user_key(name: &str, user: &str) -> Request {
    let (name, user) = (name.to_owned(), Some(user.to_owned()));
    Request::KeyCreate(KeyCreate { name, user, ..KeyCreate::default() })
}

fn granting(id: &str, grants: &[&str]) -> Request {
    Request::KeyGrant { id: id.to_owned(), grants: grants.iter().map(|&grant| grant.to_owned()).collect() }
}

fn ungranting(id: &str, grants: &[&str]) -> Request {
    Request::KeyUngrant { id: id.to_owned(), grants: grants.iter().map(|&grant| grant.to_owned()).collect() }
}

fn webhook(tenant: &str, secret: Option<&str>) -> Request {
    let secret = secret.map(|secret| SecretText::new(secret.to_owned()));
    Request::WebhookAdd(WebhookAdd { tenant: tenant.to_owned(), provider: "github".to_owned(), secret })
}

#[tokio::test]
async fn a_key_is_answered_once_and_stored_as_its_hash() {
    let bench = bench();
    let made = bench.admin.carry_out(wanted("default", "ci", &["publish:*", "subscribe:a:*"])).await.unwrap();
    let made: CreatedKey = serde_json::from_value(made).unwrap();
    let stored = bench.store.find_key(crate::auth::hash_key(&made.key)).await.unwrap().unwrap();
    assert_eq!((stored.id.as_str(), stored.name.as_str()), (made.id.as_str(), "ci"));
    let listed = bench.admin.carry_out(Request::KeyList { tenant: None }).await.unwrap();
    assert_eq!(listed["keys"][0]["grants"], json!(["publish:*", "subscribe:a:*"]));
    assert!(!listed.to_string().contains(&made.key));
}

#[tokio::test]
async fn expiry_counts_from_now() {
    let bench = bench();
    let Request::KeyCreate(key) = wanted("default", "short", &["publish:*"]) else { unreachable!() };
    bench.admin.carry_out(Request::KeyCreate(KeyCreate { expires_in: Some(60), ..key })).await.unwrap();
    let listed = bench.admin.carry_out(Request::KeyList { tenant: Some("default".into()) }).await.unwrap();
    assert_eq!(listed["keys"][0]["createdAt"], "2025-11-21T09:00:00.000Z");
    assert_eq!(listed["keys"][0]["expiresAt"], "2025-11-21T09:01:00.000Z");
}

#[tokio::test]
async fn revoking_tells_whoever_has_streams_open() {
    let bench = bench();
    let made = bench.admin.carry_out(wanted("default", "ci", &["publish:*"])).await.unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let row = bench.admin.carry_out(Request::KeyRevoke { id: id.clone() }).await.unwrap();
    assert!(row["revokedAt"].is_string());
    assert_eq!(*bench.ended.0.lock(), [format!("revoked {id}")]);
    bench.admin.carry_out(wanted("default", "ci", &["publish:*"])).await.expect("the name is free again");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let bench = bench();
    bench.done(wanted("default", "ci", &["publish:*"])).await;
    bench.done(Request::TenantAdd { tenant: "acme".into() }).await;
    bench.add_user("acme", "ada@example.org").await;
    bench.done(webhook("default", Some("hush, this is long enough"))).await;
    let email = |email: &str| user("default", email);
    let of = |user: &str, tenant: Option<&str>| Request::UserDisable {
        user: user.to_owned(),
        tenant: tenant.map(str::to_owned),
    };
    let table = [
        (wanted("nobody", "ci", &["publish:*"]), "missing", "tidings tenant add nobody"),
        (wanted("No", "ci", &["publish:*"]), "invalid", "a tenant's name"),
        (wanted("default", "ci", &["publish:*"]), "taken", "revoke that one first"),
        (wanted("default", "", &["publish:*"]), "invalid", "a key's name"),
        (wanted("default", "x", &[]), "invalid", "1 to 100 grants"),
        (wanted("default", "x", &["read:*"]), "invalid", "a grant is publish:<pattern>"),
        (Request::KeyRevoke { id: "key_x".into() }, "missing", "tidings key list"),
        (Request::TenantAdd { tenant: "default".into() }, "taken", "already"),
        (email("ADA@example.org"), "taken", "distinct over all tenants"),
        (email("ada"), "invalid", "write name@example.org"),
        (user("nobody", "x@example.org"), "missing", "tidings tenant add nobody"),
        (of("eve@example.org", None), "missing", "tidings user list"),
        (of("ada@example.org", Some("default")), "invalid", "is of another tenant"),
        (user_key("x", "eve@example.org"), "missing", "tidings user list"),
        (granting("key_x", &["publish:*"]), "missing", "tidings key list"),
        (webhook("acme", Some("hush, this is long enough")), "taken", "each is given once"),
        (webhook("acme", Some("fifteen bytes..")), "invalid", "16 to 200 bytes"),
        (Request::WebhookRemove { id: "whk_x".into() }, "missing", "tidings webhook list"),
        (Request::UserList { tenant: Some("nobody".into()) }, "missing", "tidings tenant add nobody"),
    ];
    for (request, code, words) in table {
        let (found, text) = bench.refused(request.clone()).await;
        assert_eq!(found, code, "{request:?}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn a_user_signs_in_with_what_is_answered_once() {
    let bench = bench();
    let made = bench.add_user("default", "Ada@Example.org").await;
    let (id, password) = (made.id.clone(), made.password.clone().unwrap());
    assert!(id.starts_with("usr_") && made.email == "ada@example.org" && password.len() >= 32, "{made:?}");
    assert!(!format!("{made:?}").contains(&password));
    let (user, kept) = bench.store.find_login("ada@example.org").await.unwrap().unwrap();
    assert_eq!(user.id.as_str(), id);
    assert!(crate::auth::password::verify(&password, Some(&kept)));
    let listed = bench.done(Request::UserList { tenant: None }).await;
    let row = &listed["users"][0];
    assert_eq!((row["role"].as_str(), row["tenant"].as_str()), (Some("member"), Some("default")));
    assert!(!listed.to_string().contains(&password));
    assert_eq!(bench.audited().await, [("user.created".to_owned(), id)]);
}

#[tokio::test]
async fn a_new_password_signs_the_user_out() {
    let bench = bench();
    let made = bench.add_user("default", "ada@example.org").await;
    let (user, _) = bench.store.find_login("ada@example.org").await.unwrap().unwrap();
    let session = CookieSession {
        id: "ses_1".into(),
        user: user.id.clone(),
        created_at: user.created_at,
        expires_at: Timestamp(i64::MAX),
        ip_address: None,
        user_agent: None,
    };
    bench.store.add_cookie_session(&session, crate::auth::hash_key("tds_1")).await.unwrap();
    let change = |password: &str| Request::UserPassword {
        user: "ADA@example.org".into(),
        password: Some(SecretText::new(password.to_owned())),
    };
    let (code, text) = bench.refused(change("short")).await;
    assert!(code == "invalid" && text.contains("at least 10 characters"), "{text}");
    assert_eq!(bench.store.cookie_sessions(&user.id).await.unwrap().len(), 1);

    let answer = bench.done(change("correct horse battery")).await;
    assert_eq!(answer, json!({"id": made.id, "email": "ada@example.org"}));
    let (_, kept) = bench.store.find_login("ada@example.org").await.unwrap().unwrap();
    assert!(crate::auth::password::verify("correct horse battery", Some(&kept)));
    assert_eq!(bench.store.cookie_sessions(&user.id).await.unwrap(), []);
    assert_eq!(*bench.ended.0.lock(), ["signed out ses_1"]);
    assert_eq!(bench.audited().await.last().unwrap(), &("user.password_changed".to_owned(), made.id));
}

#[tokio::test]
async fn users_are_disabled_by_email_by_id_and_by_what_tokens_say() {
    let bench = bench();
    let made = bench.add_user("default", "ada@example.org").await;
    let disable = |user: &str, tenant: Option<&str>| Request::UserDisable {
        user: user.to_owned(),
        tenant: tenant.map(str::to_owned),
    };
    for name in ["Ada@example.org", &made.id] {
        let row = bench.done(disable(name, None)).await;
        assert!(row["id"] == made.id.as_str() && row["disabledAt"].is_string(), "{row}");
        assert_eq!(row["entered"], false);
    }
    let (code, text) = bench.refused(disable("sso|bob@example.org", None)).await;
    assert!(code == "missing" && text.contains("needs --tenant"), "{text}");
    let row = bench.done(disable("sso|bob@example.org", Some("default"))).await;
    assert_eq!((row["id"].as_str(), row["email"].as_str()), (Some("sso|bob@example.org"), None));
    assert_eq!(row["entered"], true, "that nobody is stored under the id is said");
    assert_eq!(bench.done(disable("sso|bob@example.org", None)).await["entered"], false);
    let [told, bob] = [made.id.as_str(), "sso|bob@example.org"].map(|id| format!("disabled {id}"));
    assert_eq!(*bench.ended.0.lock(), [told.clone(), told, bob.clone(), bob]);
    let (code, text) = bench.refused(user_key("ci", "ada@example.org")).await;
    assert!(code == "invalid" && text.contains("is disabled"), "{text}");
}

fn issuer(name: &str, tenant: &str) -> IssuerConfig {
    IssuerConfig {
        tenant: tenant.parse().unwrap(),
        name: name.to_owned(),
        issuer: format!("https://{name}.example"),
        audience: vec!["tidings".to_owned()],
        algorithms: vec![Algorithm::Es256],
        keys: KeySource::Jwks(format!("https://{name}.example/keys")),
    }
}

#[tokio::test]
async fn only_ids_that_tokens_of_the_tenant_can_name_are_entered_as_disabled() {
    let known = Configured::default().issuers(&[issuer("sso", "default"), issuer("shop", "acme")]);
    for (bench, knows_issuers) in [(bench(), false), (bench_knowing(known), true)] {
        bench.done(Request::TenantAdd { tenant: "acme".into() }).await;
        let disable = |user: &str, tenant: &str| Request::UserDisable {
            user: user.to_owned(),
            tenant: Some(tenant.to_owned()),
        };
        for unnamable in ["eve@example.org", "usr_typo", "|sub", "SSO|bob", "sso|", "sso", "a b|c"] {
            let (code, text) = bench.refused(disable(unnamable, "default")).await;
            assert!(code == "missing" && text.contains("there is no user"), "{unnamable}: {text}");
        }
        let elsewhere = [
            (disable("shop|42", "default"), "invalid", "say --tenant acme"),
            (disable("other|42", "default"), "missing", "no issuer named `other`"),
        ];
        for (request, expected, words) in elsewhere {
            if knows_issuers {
                let (code, text) = bench.refused(request).await;
                assert!(code == expected && text.contains(words), "{text}");
            }
        }
        assert_eq!(bench.done(Request::UserList { tenant: None }).await["users"], json!([]));
        assert!(
            bench.ended.0.lock().is_empty()
                && bench.audited().await.iter().all(|(action, _)| action != "user.disabled")
        );
        for (id, tenant) in [("sso|bob@example.org", "default"), ("shop|42", "acme"), ("sso|a|b", "default")]
        {
            let row = bench.done(disable(id, tenant)).await;
            assert_eq!((row["id"].as_str(), row["entered"].as_bool()), (Some(id), Some(true)));
        }
    }
}

#[tokio::test]
async fn a_key_of_a_user_is_of_its_tenant_and_has_no_grants() {
    let bench = bench();
    bench.done(Request::TenantAdd { tenant: "acme".into() }).await;
    let made = bench.add_user("acme", "ada@example.org").await;
    bench.done(user_key("cli", "ada@example.org")).await;
    let key = &bench.done(Request::KeyList { tenant: Some("acme".into()) }).await["keys"][0];
    assert_eq!((key["user"].as_str(), &key["grants"]), (Some(made.id.as_str()), &json!([])));
    let Request::KeyCreate(key) = user_key("other", &made.id) else { unreachable!() };
    let granted = KeyCreate { grants: vec!["publish:*".into()], ..key.clone() };
    assert!(bench.refused(Request::KeyCreate(granted)).await.1.contains("no grants of its own"));
    let elsewhere = KeyCreate { tenant: Some("default".into()), ..key.clone() };
    assert!(bench.refused(Request::KeyCreate(elsewhere)).await.1.contains("is of tenant `acme`"));
    let made = bench.done(Request::KeyCreate(key)).await;
    let id = made["id"].as_str().unwrap();
    assert!(bench.refused(granting(id, &["publish:*"])).await.1.contains("acts as user"));
}

#[tokio::test]
async fn grants_come_and_go_but_not_the_last() {
    let bench = bench();
    let made = bench.done(wanted("default", "ci", &["publish:a"])).await;
    let id = made["id"].as_str().unwrap();
    let row = bench.done(granting(id, &["subscribe:a:*", "publish:a"])).await;
    assert_eq!(row["grants"], json!(["publish:a", "subscribe:a:*"]));
    bench.done(granting(id, &["publish:a"])).await;
    let row = bench.done(ungranting(id, &["publish:a"])).await;
    assert_eq!(row["grants"], json!(["subscribe:a:*"]));
    let (code, text) = bench.refused(ungranting(id, &["publish:a"])).await;
    assert!(code == "missing" && text.contains("it has: subscribe:a:*"), "{text}");
    let (code, text) = bench.refused(ungranting(id, &["subscribe:a:*"])).await;
    assert!(code == "invalid" && text.contains("tidings key revoke"), "{text}");
    let told = [format!("regranted {id} publish:a subscribe:a:*"), format!("regranted {id} subscribe:a:*")];
    assert_eq!(*bench.ended.0.lock(), told);
    bench.done(Request::KeyRevoke { id: id.to_owned() }).await;
    bench.clock.advance(std::time::Duration::from_secs(1));
    bench.done(Request::KeyRevoke { id: id.to_owned() }).await;
    assert!(bench.refused(granting(id, &["publish:b"])).await.1.contains("is revoked"));
    let actions = ["key.created", "key.granted", "key.ungranted", "key.revoked"];
    assert_eq!(bench.audited().await, actions.map(|action| (action.to_owned(), id.to_owned())));
}

#[tokio::test]
async fn a_webhooks_secret_is_answered_once_and_never_listed() {
    let bench = bench();
    let made = bench.done(webhook("default", None)).await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(bench.store.webhooks("github").await.unwrap()[0].secret, secret);
    let given = bench.done(webhook("default", Some("hush, this is long enough too"))).await;
    assert!(given.get("secret").is_none(), "{given}");
    let listed = bench.done(Request::WebhookList { tenant: None }).await;
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(secret) && !listed.to_string().contains("hush"), "{listed}");
    bench.done(Request::WebhookRemove { id: made["id"].as_str().unwrap().to_owned() }).await;
    assert_eq!(bench.store.webhooks("github").await.unwrap().len(), 1);
    let actions: Vec<String> = bench.audited().await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["webhook.added", "webhook.added", "webhook.removed"]);
}

#[tokio::test]
async fn a_webhooks_secret_is_not_the_configured_one_of_another_tenant() {
    let secret = "the configured secret of GitHub";
    let bench = bench_knowing(Configured::default().github_secret(Some(secret.to_owned())));
    bench.done(Request::TenantAdd { tenant: "acme".into() }).await;
    let (code, text) = bench.refused(webhook("acme", Some(secret))).await;
    assert!(code == "taken" && text.contains("`webhooks.github.secret`") && !text.contains(secret), "{text}");
    assert!(bench.store.webhooks("github").await.unwrap().is_empty(), "the next start would refuse it");
    bench.done(webhook("acme", Some("another secret than that"))).await;
    bench.done(webhook("default", Some(secret))).await;
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let bench = bench();
    let made = bench.add_user("default", "ada@example.org").await;
    for name in ["a", "b", "c"] {
        bench.done(wanted("default", name, &["publish:*"])).await;
    }
    let read = async |query: AuditRead| -> Vec<AuditLine> {
        let page: AuditPage = serde_json::from_value(bench.done(Request::AuditRead(query)).await).unwrap();
        page.rows
    };
    let keys = AuditRead { action: Some("key.*".into()), limit: 2, ..AuditRead::default() };
    let first = read(keys.clone()).await;
    assert_eq!(first[0].metadata["name"], "c");
    let second = read(AuditRead { before: Some(first[1].id), ..keys }).await;
    assert_eq!((second.len(), &second[0].metadata["name"]), (1, &json!("a")));
    write_login(&bench.store, &made.id).await;
    for name in ["ADA@example.org", &made.id] {
        let query = AuditRead { user: Some(name.to_owned()), limit: 9, ..AuditRead::default() };
        let found = read(query).await;
        assert_eq!((found.len(), found[0].action.as_str()), (1, "auth.login"));
    }
    for limit in [0, PAGE_ROWS + 1] {
        let query = AuditRead { limit, ..AuditRead::default() };
        assert_eq!(bench.refused(Request::AuditRead(query)).await.0, "invalid");
    }
}

/// Writes a row that the user with this id caused.
async fn write_login(store: &MemoryStore, user: &str) {
    let row = AuditRow {
        tenant_id: None,
        user_id: Some(user.to_owned()),
        action: "auth.login".to_owned(),
        resource_id: None,
        ip_address: None,
        user_agent: None,
        metadata: "{}".to_owned(),
        created_at: Timestamp(0),
    };
    store.write(vec![AuditEntry::Row(row)]).await.unwrap();
}

async fn ask(directory: &Path, request: &[u8]) -> serde_json::Value {
    let mut stream = UnixStream::connect(ShortPath::new(directory, NAME).unwrap().as_path()).await.unwrap();
    // A refused request may be answered before all of it is read.
    let _ = stream.write_all(request).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn the_socket_answers_one_line_with_one_line() {
    let folder = Folder::new();
    let deep = folder.0.join("d".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join(NAME), "left over").unwrap();
    let socket = AdminSocket::bind(&deep).unwrap();
    let mode = std::fs::metadata(deep.join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bench = bench();
    let serving = tokio::spawn(socket.serve(Arc::clone(&bench.admin)));

    let answer = ask(&deep, b"{\"op\":\"tenant_add\",\"tenant\":\"acme\"}\n").await;
    assert_eq!(answer["ok"]["tenant"], "acme");
    let answer = ask(&deep, b"{\"op\":\"status\"}\n").await;
    assert_eq!(answer["ok"]["tenants"], 2);
    for bad in [&b"{}\n"[..], b"{\"op\":\"status\",\"x\":1}\n", b"{\"op\":\"drop\"}\n", b"\n"] {
        assert_eq!(ask(&deep, bad).await["error"]["code"], "invalid");
    }
    let answer = ask(&deep, &vec![b' '; 64 * 1024]).await;
    assert_eq!(answer["error"]["code"], "invalid");

    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert!(!deep.join(NAME).exists());
}

/// A directory of this test's own, gone afterwards.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(secret::draw_id().unwrap());
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
