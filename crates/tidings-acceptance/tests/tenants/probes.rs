//! The requests: every place where one can name something, with what is the other's in it.

use serde_json::{Value, json};
use tidings_acceptance::Call;

use crate::side::Side;

/// A request without a credential, and its twin: what the right credential gets for asking for the same.
pub(crate) type Probe = (Call, Call);

/// All of them, for what is `victim`'s; `own` is the session of whoever asks.
pub(crate) fn all(victim: &Side, own: &Side) -> Vec<Probe> {
    let mut all = paths(victim);
    all.extend(sessions(victim));
    all.extend(channels(victim, own));
    all.extend(lists(victim));
    all.extend(cursors(victim, own));
    all.extend(headers(victim));
    all.extend(bodies(victim, own));
    all.extend(logins(victim, own));
    all
}

/// An id, and what a careless server may take for it.
fn twisted(id: &str, tenant: &str) -> Vec<String> {
    let first = format!("%{:02x}{}", id.as_bytes()[0], &id[1..]);
    let upper = id.to_uppercase();
    vec![
        id.to_owned(),
        first,
        upper,
        format!("{id}%2e"),
        format!("{id}."),
        format!("{id}/"),
        format!("{id}//"),
        format!("{id}%00"),
        format!("{id}\0"),
        format!("{id}%00.json"),
        format!("{id}.json"),
        format!("{id}%20"),
        format!("%20{id}"),
        format!("{id}%0d%0a"),
        format!("./{id}"),
        format!("../casts/{id}"),
        format!("%2e%2e%2fcasts%2f{id}"),
        format!("{tenant}/{id}"),
        format!("{tenant}%2f{id}"),
        format!("{tenant}:{id}"),
        format!("{tenant}%3a{id}"),
        format!("{tenant}@{id}"),
        format!("{tenant}.{id}"),
        format!("tenants/{tenant}/{id}"),
        format!("{id};tenant={tenant}"),
        format!("{id}%3ftenant={tenant}"),
        format!("{id}?tenant={tenant}"),
        format!("{id}%23"),
        format!("{id}%c0%80"),
        format!("{id},shared_1"),
        format!("shared_1,{id}"),
        format!("cast:{id}"),
        "*".to_owned(),
        "%2a".to_owned(),
        format!("{}*", &id[..5]),
        format!("{}%25", &id[..5]),
        format!("{}_%25", &id[..4]),
        format!("{id}'%20OR%20'1'='1"),
        format!("{id}%ef%bc%8e"),
    ]
}

/// Casts by their ids.
fn paths(victim: &Side) -> Vec<Probe> {
    let route = |id: &str| {
        let cast = format!("/api/casts/{id}");
        vec![
            Call::get(&cast),
            Call::new("PATCH", &cast).json(&json!({"message": "changed"})),
            Call::get(format!("{cast}/events")),
            Call::get(format!("{cast}/events?since=start")),
            Call::new("HEAD", format!("{cast}/events")),
            Call::post(format!("{cast}/events"), &json!({"type": "note", "data": {}})),
            Call::new("POST", format!("{cast}/cancel")),
        ]
    };
    let twins = route(&victim.only);
    let calls = twisted(&victim.only, victim.tenant).into_iter();
    calls.flat_map(|id| route(&id).into_iter().zip(twins.clone())).collect()
}

/// Streams and cookie sessions by their ids.
fn sessions(victim: &Side) -> Vec<Probe> {
    let stream = |id: &str| {
        let stream = format!("/v1/sessions/{id}");
        vec![
            Call::post(
                format!("{stream}/subscriptions"),
                &json!({"add": [{"channel": "*", "since": "start"}]}),
            ),
            Call::post(format!("{stream}/subscriptions"), &json!({"remove": ["news"]})),
            Call::new("POST", format!("{stream}/credential")),
        ]
    };
    let cookie = |id: &str| vec![Call::new("DELETE", format!("/auth/sessions/{id}"))];
    let mut all = Vec::new();
    for id in twisted(&victim.session, victim.tenant) {
        all.extend(stream(&id).into_iter().zip(stream(&victim.session)));
    }
    for id in twisted(&victim.cookie_session, victim.tenant) {
        // An empty segment is no id: that would be the caller's own sessions.
        all.extend(cookie(&id).into_iter().zip(cookie(&victim.cookie_session)));
    }
    all
}

/// Everything that takes channels; `session` is the asker's own stream.
fn by_channel(channel: &str, session: &str, since: &str) -> Vec<Call> {
    let add = json!([{"channel": channel, "since": since}]);
    vec![
        Call::get(format!("/v1/events?since={since}&channel={channel}")),
        Call::socket(format!("/v1/ws?since={since}&channel={channel}")),
        Call::get(format!("/v1/poll?channel={channel}")),
        Call::get(format!("/v1/history?channel={channel}")),
        Call::post("/v1/poll", &json!({"channel": [channel]})),
        Call::post("/v1/tickets", &json!({"channels": [channel]})),
        Call::post(format!("/v1/sessions/{session}/subscriptions"), &json!({"add": add})),
        Call::socket("/v1/ws").saying(json!({"op": "subscribe", "ref": 1, "add": add})),
    ]
}

fn channels(victim: &Side, own: &Side) -> Vec<Probe> {
    let (tenant, only, user) = (victim.tenant, &victim.only, &victim.admin.id);
    let patterns = [
        "*".to_owned(),
        "cast:*".to_owned(),
        format!("cast:{only}"),
        format!("cast:{only}:*"),
        format!("cast:{}", only.to_uppercase()),
        format!("cast:{only}."),
        format!("cast:%6f{}", &only[1..]),
        format!("cast%3a{only}"),
        format!("cast:{only}%00"),
        format!("cast:{only}%2e"),
        format!("cast:{only}/"),
        format!("cast:{only},cast:shared_1"),
        format!("user:{user}:casts"),
        format!("user:{user}:*"),
        "user:*".to_owned(),
        victim.only_channel.clone(),
        "private:*".to_owned(),
        format!("{tenant}:*"),
        format!("{tenant}:cast:*"),
        format!("{tenant}:cast:{only}"),
        format!("{tenant}/cast:{only}"),
        format!("{tenant}@cast:{only}"),
        format!("tenant:{tenant}:*"),
        format!("../{tenant}:*"),
        format!("%2e%2e/{tenant}:*"),
        "news".to_owned(),
        "NEWS".to_owned(),
        "news:*".to_owned(),
        "n*".to_owned(),
        "**".to_owned(),
        "*:*".to_owned(),
        "%".to_owned(),
        format!("news&tenant={tenant}"),
        format!("news&tenantId={tenant}&userId={user}"),
        "shared:1".to_owned(),
        String::new(),
    ];
    let twins = by_channel("*", &victim.session, "start");
    let calls = patterns.iter().map(|pattern| by_channel(pattern, &own.session, "start"));
    calls.flat_map(|calls| calls.into_iter().zip(twins.clone())).collect()
}

fn lists(victim: &Side) -> Vec<Probe> {
    let (tenant, only) = (victim.tenant, &victim.only);
    let mut queries: Vec<String> =
        ["", "limit=200", "cursor=1", "cursor=999999", "status=queued", "status=cancelled", "scope=all"]
            .map(str::to_owned)
            .to_vec();
    for user in [&*victim.admin.id, &*victim.member.id, "n%7C7", "s%7C7", "7", "*", "%2a", ""] {
        queries.push(format!("userId={user}"));
        queries.push(format!("userId={user}&status=queued"));
    }
    for name in ["tenant", "tenantId", "tenant_id", "org", "Tenant", "tenant[]"] {
        queries.push(format!("{name}={tenant}"));
        queries.push(format!("{name}={tenant}&limit=200&userId={}", victim.admin.id));
    }
    let list = |query: &String| Call::get(format!("/api/casts?{query}"));
    let mut all: Vec<Probe> = queries.iter().map(|query| (list(query), Call::get("/api/casts"))).collect();
    let events = |query: &str| Call::get(format!("/api/casts/events?{query}"));
    for id in twisted(only, tenant) {
        let id = id.replace('?', "%3f").replace('\0', "%00");
        for query in [
            format!("castId={id}"),
            format!("castId=shared_1&castId={id}"),
            format!("castId={id}&since=start"),
        ] {
            all.push((events(&query), events(&format!("castId={only}"))));
        }
    }
    for query in ["scope=all", "scope=all&since=start", "scope=mine", "since=start"] {
        for more in [String::new(), format!("&tenant={tenant}"), format!("&userId={}", victim.admin.id)] {
            all.push((events(&format!("{query}{more}")), events("scope=all&since=start")));
        }
    }
    all
}

/// Positions in the other's log.
fn cursors(victim: &Side, own: &Side) -> Vec<Probe> {
    let asked = |cursor: &str, session: &str| {
        let mut calls = by_channel("*", session, cursor);
        let line = format!("last-event-id: {cursor}");
        calls.extend([
            Call::get("/v1/events?channel=*").line(&line),
            Call::get("/api/casts/events?scope=all").line(&line),
            Call::get("/api/casts/shared_1/events").line(&line),
            Call::get(format!("/v1/poll?channel=*&wait=0&after={cursor}")),
            Call::get(format!("/v1/history?channel=*&after={cursor}")),
            Call::post("/v1/poll", &json!({"channel": ["*"], "wait": 0, "after": cursor})),
        ]);
        calls
    };
    let first = victim.cursors[0].clone();
    let lineage = &first[14..];
    let mut cursors = victim.cursors.clone();
    cursors.extend([format!("0000000000000.{lineage}"), format!("0000000000001.{lineage}")]);
    let calls = cursors.iter().map(|cursor| asked(cursor, &own.session));
    calls.flat_map(|calls| calls.into_iter().zip(asked(&first, &victim.session))).collect()
}

fn headers(victim: &Side) -> Vec<Probe> {
    let (tenant, user) = (victim.tenant, &victim.admin.id);
    let mut lines: Vec<String> = [
        "x-tenant",
        "x-tenant-id",
        "x-tidings-tenant",
        "tenant",
        "x-org-id",
        "x-organization",
        "x-workspace",
        "x-scope-orgid",
        "x-client-id",
    ]
    .iter()
    .map(|name| format!("{name}: {tenant}"))
    .collect();
    lines.extend(
        ["x-user-id", "x-user", "x-forwarded-user", "x-remote-user", "remote-user", "x-actor"]
            .map(|name| format!("{name}: {user}")),
    );
    lines.extend(
        ["x-role: admin", "x-admin: true", "x-http-method-override: DELETE", "idempotency-key: same-key"]
            .map(str::to_owned),
    );
    for name in ["x-original-url", "x-rewrite-url", "x-forwarded-uri", "referer"] {
        lines.push(format!("{name}: /api/casts/{}", victim.only));
    }
    for name in ["x-forwarded-host", "x-host", "x-forwarded-server"] {
        lines.push(format!("{name}: {tenant}.example"));
    }
    lines.push(format!("forwarded: for=127.0.0.1;host={tenant}.example"));
    lines.push(format!("cookie: tenant={tenant}; user={user}"));
    lines.push(format!("last-event-id: {}", victim.cursors[0]));
    lines.push("if-match: \"2\"".to_owned());
    let calls = [
        Call::get("/api/casts"),
        Call::get("/api/casts/shared_1"),
        Call::get(format!("/api/casts/{}", victim.only)),
        Call::get("/api/casts/events?scope=all"),
        Call::get("/v1/history?channel=*"),
        Call::get("/v1/events?channel=*&since=start"),
        Call::socket("/v1/ws?channel=*&since=start"),
        Call::get("/auth/me"),
        Call::get("/auth/sessions"),
        Call::post("/v1/publish", &json!({"channel": "news", "type": "t", "data": 1})),
    ];
    let mut all = Vec::new();
    for call in &calls {
        all.extend(lines.iter().map(|line| (call.clone().line(line), call.clone())));
        all.push((call.clone().host(&format!("{tenant}.example")), call.clone()));
    }
    all
}

/// Members that no body has, or that say who somebody is.
fn bodies(victim: &Side, own: &Side) -> Vec<Probe> {
    let (tenant, user) = (victim.tenant, &victim.admin.id);
    let members = [
        ("tenant", json!(tenant)),
        ("tenantId", json!(tenant)),
        ("tenant_id", json!(tenant)),
        ("org", json!(tenant)),
        ("role", json!("admin")),
        ("grants", json!(["subscribe:*"])),
        ("userId", json!(user)),
        ("user", json!(user)),
        ("user", json!({"id": user, "tenant": tenant})),
        ("owner", json!(user)),
        ("principal", json!(format!("user:{user}"))),
        ("as", json!(user)),
        ("channels", json!(["*"])),
        ("since", json!(victim.cursors[0])),
        ("session", json!(victim.session)),
        ("id", json!(victim.only)),
        ("__proto__", json!({"tenant": tenant})),
    ];
    let mut all = Vec::new();
    for (index, (name, value)) in members.into_iter().enumerate() {
        let with = |body: Value| {
            let mut body = body;
            if body.get(name).is_none() {
                body[name] = value.clone();
            }
            body
        };
        all.extend(
            with_bodies(&own.session, with).into_iter().zip(with_bodies(&victim.session, |body| body)),
        );
        // One that nobody has yet on either side.
        if name != "userId" {
            // That would be an owner: a word of the other's in one's own data, which comes back by right.
            let made = json!({"id": format!("made_by_{}_{index}", own.tenant)});
            all.push((Call::post("/api/casts", &with(made.clone())), Call::post("/api/casts", &made)));
        }
    }
    all
}

fn with_bodies(session: &str, with: impl Fn(Value) -> Value) -> Vec<Call> {
    let event = json!({"channel": "news", "type": "t", "data": {"n": 1}});
    let ws = |op: Value| Call::socket("/v1/ws?channel=*").saying(with(op));
    vec![
        Call::post("/v1/publish", &with(event.clone())),
        Call::post("/v1/publish", &with(json!({"events": [with(event.clone())]}))),
        Call::post("/v1/poll", &with(json!({"channel": ["*"]}))),
        Call::post("/v1/tickets", &with(json!({"channels": ["news"]}))),
        Call::post(
            format!("/v1/sessions/{session}/subscriptions"),
            &with(json!({"add": [{"channel": "news"}]})),
        ),
        Call::new("PATCH", "/api/casts/shared_1").json(&with(json!({"message": "changed"}))),
        Call::post("/api/casts/shared_2/events", &with(json!({"type": "note", "data": {}}))),
        ws(json!({"op": "subscribe", "ref": 1, "add": [{"channel": "shared:1"}]})),
        ws(json!({"op": "publish", "ref": 1, "events": [with(event)]})),
        ws(json!({"op": "ping", "ref": 1})),
    ]
}

/// The other's emails with one's own password, and a word on whose they are.
fn logins(victim: &Side, own: &Side) -> Vec<Probe> {
    let right = json!({"email": victim.admin.email, "password": victim.admin.password});
    let mut all = Vec::new();
    for (email, password) in [
        (&victim.admin.email, &own.admin.password),
        (&victim.member.email, &own.member.password),
        (&victim.admin.email, &victim.member.password),
        (&victim.admin.id, &victim.admin.password),
    ] {
        for member in ["tenant", "tenantId", "role"] {
            let body = json!({"email": email, "password": password, member: victim.tenant});
            all.push((Call::post("/auth/login", &body), Call::post("/auth/login", &right)));
        }
    }
    all
}
