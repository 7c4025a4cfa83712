//! From sources to settings: what wins, what is refused, and what is shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::source::Given;
use super::*;

fn given(file: &str, variables: &[(&'static str, &str)]) -> Given {
    Given {
        variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        files: vec![("t.toml", file.to_owned())],
    }
}

fn with_file() -> Flags {
    Flags { config: Some(PathBuf::from("t.toml")), ..Flags::default() }
}

fn loaded(file: &str, variables: &[(&'static str, &str)]) -> Loaded {
    load(&with_file(), &given(file, variables)).unwrap()
}

fn refusal(file: &str, variables: &[(&'static str, &str)]) -> String {
    load(&with_file(), &given(file, variables)).unwrap_err().to_string()
}

#[test]
fn nothing_said_is_the_defaults() {
    let settings = load(&Flags::default(), &Given::default()).unwrap().settings;
    let limits = &settings.server.limits;
    assert_eq!(settings.server.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(settings.data_dir, Path::new("./data"));
    assert_eq!((limits.streams_per_user, limits.streams_per_key), (10, 0));
    assert_eq!((limits.connects_anonymous, limits.connects_session, limits.connects_api_key), (20, 100, 60));
    assert_eq!((limits.stream_buffer, limits.channels_per_session), (256 * 1024, 1_000));
    assert_eq!(settings.server.stream.heartbeat, Duration::from_secs(30));
    assert_eq!(settings.server.stream.write_timeout, Duration::from_secs(30));
    assert_eq!(settings.casts_lifetime, Duration::from_secs(300));
    assert_eq!(settings.policy.retention_age, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(settings.policy.events_per_channel, 100_000);
    assert_eq!((settings.store_url.as_str(), settings.durability), ("sqlite", settings::Durability::Fsync));
    assert_eq!(settings.apps, settings::APPS);
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "data_dir = \"file\"\nlisten = [\"127.0.0.1:1\"]\nstream.heartbeat = \"1s\"\n";
    let variables = [("TIDINGS_DATA_DIR", "variable"), ("TIDINGS_LISTEN", "127.0.0.1:2, [::1]:2")];
    let flags = Flags { data_dir: Some(PathBuf::from("flag")), ..with_file() };
    let Loaded { settings, origins, .. } = load(&flags, &given(file, &variables)).unwrap();
    assert_eq!(settings.data_dir, Path::new("flag"));
    assert_eq!(settings.server.listen, ["127.0.0.1:2".parse().unwrap(), "[::1]:2".parse().unwrap()]);
    assert_eq!(settings.server.stream.heartbeat, Duration::from_secs(1));
    let told = |key| origins.get(key).map(ToString::to_string);
    assert_eq!(told("data_dir").unwrap(), "--data-dir");
    assert_eq!(told("listen").unwrap(), "TIDINGS_LISTEN");
    assert_eq!(told("stream.heartbeat").unwrap(), "t.toml:3");
    assert_eq!(told("public_url"), None);
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let sources = given("data_dir = \"x\"", &[("TIDINGS_CONFIG", "t.toml")]);
    assert_eq!(load(&Flags::default(), &sources).unwrap().settings.data_dir, Path::new("x"));
    let missing = Flags { config: Some(PathBuf::from("no.toml")), ..Flags::default() };
    assert!(load(&missing, &sources).unwrap_err().to_string().starts_with("no.toml: cannot read it: "));
}

#[test]
fn tables_and_dots_are_one() {
    let file =
        "[limits]\nstream_buffer = \"1MiB\"\nconnects_per_minute.api_key = 0\n[log.retention]\nage = 0\n";
    let settings = loaded(file, &[("TIDINGS_LIMITS__CONNECTS_PER_MINUTE__SESSION", "7")]).settings;
    assert_eq!(settings.server.limits.stream_buffer, 1 << 20);
    assert_eq!(settings.server.limits.connects_api_key, 0);
    assert_eq!(settings.server.limits.connects_session, 7);
    assert_eq!(settings.policy.retention_age, Duration::ZERO);
}

#[test]
fn what_is_not_known_is_an_error_that_names_the_nearest() {
    let found = refusal(
        "listn = []\n\n[limits]\nstream_per_user = 1\n",
        &[("TIDINGS_STREAM__HARTBEAT", "1s"), ("TIDINGS_NONSENSE", "1")],
    );
    assert_eq!(
        found,
        "t.toml:4: there is no key \"limits.stream_per_user\"; did you mean \"limits.streams_per_user\"?\n\
         t.toml:1: there is no key \"listn\"; did you mean \"listen\"?\n\
         TIDINGS_STREAM__HARTBEAT: there is no key \"stream.hartbeat\"; did you mean \"stream.heartbeat\"?\n\
         TIDINGS_NONSENSE: there is no key \"nonsense\"; `tidings config print` shows all keys"
    );
}

#[test]
fn variables_that_are_no_configuration_are_left_alone() {
    let mut variables: Vec<_> = variables::OTHERS.iter().map(|(name, _)| (*name, "t.toml")).collect();
    variables.extend([("TIDINGS_PORT", "tcp://10.0.0.1:80"), ("TIDINGS_PORT_80_TCP_ADDR", "10.0.0.1")]);
    variables.extend([("TIDINGS_SERVICE_HOST", "10.0.0.1"), ("HOME", "/"), ("TIDING", "1")]);
    assert!(loaded("", &variables).origins.is_empty());
}

#[test]
fn values_that_a_key_cannot_have_are_refused() {
    let table = [
        ("listen = [\"localhost\"]", "is no address"),
        ("listen = []", "at least one address"),
        ("listen = 8080", "a list of texts is needed"),
        ("stream.heartbeat = 30", "30 needs a unit, e.g. \"30s\""),
        ("stream.heartbeat = \"0s\"", "zero is not possible here"),
        ("stream.heartbeat = \"1ms\"", "1ms is too little: at least 10ms"),
        ("stream.lifetime = \"9999d\"", "longer than ten years"),
        ("limits.stream_buffer = \"1KB\"", "is no size"),
        ("limits.stream_buffer = \"1KiB\"", "1KiB is too little: at least 16KiB"),
        ("limits.header_bytes = 0", "zero is not possible here"),
        ("limits.streams_per_user = -1", "a number is needed here"),
        ("limits.streams_per_user = 1.5", "no key has a value of this type"),
        ("limits.connects_per_minute.api_key = 4294967296", "4294967296 is too much"),
        ("behind_proxy = \"yes\"", "true or false is needed"),
        ("public_url = \"https://a.example/x\"", "is no origin"),
        ("cors.origins = [\"*\"]", "is no origin"),
        ("log.durability = \"maybe\"", "it is one of fsync, os"),
        ("data_dir = \"\"", "this must not be empty"),
        ("auth.session_lifetime = \"1ms\"", "1ms is too little: at least 1s"),
        ("auth.cookie_same_site = \"strict\"", "it is one of lax, none"),
        ("auth.user_grants = [\"read:*\"]", "a grant is publish:<pattern>"),
        ("audit.queue = 0", "zero is not possible here"),
        ("apps = [\"casts\", \"news\"]", "`news` is not one of casts, studio, bands, runs"),
        ("limits = 3", "there is no key \"limits\""),
        ("listen = [{ port = 1 }]", "a list of texts is needed"),
        ("listen = [{ port = 1.5 }]", "no key has a value of this type"),
        ("[[auth.issuers]]\nname = \"x\"", "auth.issuers[0].issuer is missing"),
        ("listen = [", "this is not TOML"),
    ];
    for (file, words) in table {
        let found = refusal(file, &[]);
        assert!(found.starts_with("t.toml") && found.contains(words), "{file}: {found}");
    }
}

#[test]
fn off_loopback_it_needs_a_proxy_that_covers_it() {
    for address in ["0.0.0.0:8080", "[::]:8080", "192.0.2.7:80"] {
        let file = format!("listen = [\"127.0.0.1:1\", \"{address}\"]");
        assert!(refusal(&file, &[]).contains("behind_proxy"), "{address}");
        assert_eq!(loaded(&format!("{file}\nbehind_proxy = true"), &[]).settings.server.listen.len(), 2);
    }
    for address in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(loaded(&format!("listen = [\"{address}\"]"), &[]).settings.is_local(), "{address}");
    }
}

#[test]
fn tls_covers_what_is_off_loopback_and_takes_both_files() {
    let open = "listen = [\"0.0.0.0:8080\"]\n";
    for half in ["tls.cert = \"a\"", "tls.key = \"b\""] {
        let found = refusal(&format!("{half}\n{open}"), &[]);
        assert!(found.starts_with("t.toml:1: ") && found.contains("is of no use without its"), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    let both = loaded(&format!("{open}tls.cert = \"a\"\ntls.key = \"b\""), &[]).settings.server.tls.unwrap();
    assert_eq!((both.cert.as_path(), both.key.as_path()), (Path::new("a"), Path::new("b")));
    assert_eq!(loaded("", &[]).settings.server.tls, None);
}

#[test]
fn cookies_for_other_sites_need_tls() {
    let none = "auth.cookie_same_site = \"none\"";
    let found = refusal(none, &[]);
    assert!(found.starts_with("t.toml:1: ") && found.contains("needs TLS"), "{found}");
    for cover in
        ["behind_proxy = true", "public_url = \"https://a.example\"", "tls.cert = \"a\"\ntls.key = \"b\""]
    {
        let settings = loaded(&format!("{none}\n{cover}"), &[]).settings;
        assert_eq!(settings.server.auth.cookie_same_site, tidings_server::config::SameSite::None, "{cover}");
    }
    assert!(refusal(&format!("{none}\npublic_url = \"http://a.example\""), &[]).contains("needs TLS"));
}

#[test]
fn users_and_the_audit_log_are_configured() {
    let file = "[auth]\nsession_lifetime = \"1h\"\nuser_grants = [\"subscribe:news:*\"]\n[audit]\nretention = 0\nqueue = 7\n";
    let settings = loaded(file, &[("TIDINGS_LIMITS__LOGINS_PER_MINUTE", "0")]).settings;
    let auth = &settings.server.auth;
    assert_eq!(auth.session_lifetime, Duration::from_secs(3600));
    assert_eq!(auth.user_grants, ["subscribe:news:*".parse().unwrap()]);
    assert_eq!((settings.policy.audit_age, settings.server.audit.queue), (Duration::ZERO, 7));
    assert_eq!(settings.server.limits.logins_per_minute, 0);
    let settings = loaded("", &[]).settings;
    assert_eq!(settings.server.auth.session_lifetime, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(settings.policy.audit_age, Duration::from_secs(90 * 24 * 3600));
    assert_eq!((settings.server.audit.queue, settings.server.limits.logins_per_minute), (10_000, 10));
}

#[test]
fn demo_keeps_to_loopback_even_behind_a_proxy() {
    let file = "listen = [\"0.0.0.0:8080\"]\nbehind_proxy = true";
    let flags = Flags { demo: true, ..with_file() };
    assert!(
        load(&flags, &given(file, &[])).unwrap_err().to_string().contains("--demo is for this machine alone")
    );
    assert!(load(&flags, &given("", &[])).unwrap().settings.demo);
}

#[test]
fn what_this_build_cannot_do_is_refused() {
    for (file, words) in [
        ("store.url = \"postgres://u:p@h/d\"", "no PostgreSQL store yet"),
        ("store.url = \"mysql://h\"", "this is no store"),
        ("tail.url = \"nats://h\"", "one node only"),
        ("tail.url = \"x\"", "this is no tail"),
    ] {
        let found = refusal(file, &[]);
        assert!(found.starts_with("t.toml:1: ") && found.contains(words), "{found}");
    }
}

#[test]
fn what_has_no_effect_is_noted() {
    let notes = loaded("apps = [\"casts\", \"runs\"]\nlog.durability = \"os\"", &[]).notes;
    assert_eq!(notes.len(), 2);
    assert!(notes[0].starts_with("t.toml:1: apps: runs has no effect"), "{notes:?}");
    assert_eq!(loaded("apps = [\"casts\"]\nstream.casts_lifetime = \"1m\"", &[]).notes, [""; 0]);
    assert_eq!(loaded("", &[]).notes, [""; 0]);
}

#[test]
fn print_shows_every_key_and_where_it_comes_from() {
    let file = "webhooks.github.secret = \"hush\"\n[stream]\nheartbeat = \"45s\"\n";
    let loaded = loaded(file, &[("TIDINGS_CORS__ORIGINS", "https://a.example,https://b.example")]);
    let text = print::text(&loaded);
    assert!(!text.contains("hush"));
    insta::assert_snapshot!(text);
}

#[test]
fn what_print_writes_reads_back_the_same() {
    let printed = print::text(&loaded("stream.heartbeat = \"45s\"\nlisten = [\"[::1]:7\"]", &[]));
    assert_eq!(without_origins(&print::text(&loaded(&printed, &[]))), without_origins(&printed));
}

fn without_origins(text: &str) -> String {
    text.lines().map(|line| line.split("  #").next().unwrap_or_default().to_owned() + "\n").collect()
}

#[test]
fn the_reference_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(reference::PAGE);
    let page = reference::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "{} is stale: run `UPDATE_DOCS=1 cargo test -p tidings`", reference::PAGE);
}
