//! Tokens that end: fresh ones are fetched and presented, and the stream lives on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tidings_acceptance::forged::Forger;
use tidings_acceptance::issuer::Issuer;
use tidings_acceptance::token_key::TokenKey;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report, within};
use tidings_client::subscriber::Options;
use tidings_client::{Credential, Publisher, Stopped, Subscriber, Update};

use crate::{PATIENCE, draft, following, number, publishing};

/// Seconds that a token is good for.
const LIFE: u64 = 8;

fn issuer() -> Issuer {
    Issuer {
        name: "id",
        tenant: "default",
        key: TokenKey::hs256("the secret of the client's tests"),
        kid: None,
    }
}

/// Seconds that the stream is watched: longer than a token is good for.
const SECONDS: u64 = 11;

/// A token that ends soon.
fn token(issuer: &Issuer) -> String {
    let forger: Forger<'_> = issuer.forger("joe");
    forger.with_claims(&json!({"exp": forger.now + LIFE}))
}

async fn server() -> Server {
    let issuers = json!([issuer().configuration()]);
    Server::start(ServerOptions::unlimited().set("auth.issuers", &issuers.to_string())).await
}

fn renewing(address: SocketAddr, fetched: &Arc<AtomicUsize>, good: usize) -> Options {
    let fetched = fetched.clone();
    let credential = Credential::renewed(move || {
        let count = fetched.fetch_add(1, Ordering::SeqCst);
        async move { if count < good { Ok(token(&issuer())) } else { Ok("tdk_nobody".to_owned()) } }
    });
    Options { credential, ..following(&Target::new(address, "unused"), &["live:a"]) }
}

#[tokio::test]
async fn a_stream_outlives_its_tokens() {
    let server = server().await;
    let target = server.master().await;
    let fetched = Arc::new(AtomicUsize::new(0));
    let mut subscriber = Subscriber::open(renewing(server.address(), &fetched, usize::MAX)).unwrap();
    let publisher = Publisher::new(publishing(&target)).unwrap();
    for n in 0..SECONDS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        publisher.publish(draft("live:a", n)).await.unwrap();
        let update = within(PATIENCE, "an event", subscriber.next()).await.unwrap().unwrap();
        assert!(matches!(update, Update::Event(event) if number(&event) == n));
    }
    let opens = Figures::read(server.address()).await.sum("tidings_streams_opened_total", "");
    let fetched = fetched.load(Ordering::SeqCst);
    report(format!(
        "client: {SECONDS} s on tokens of {LIFE} s: {fetched} tokens fetched, {opens} streams opened"
    ));
    assert!((2..=4).contains(&fetched), "one every few seconds");
    assert_eq!(opens, 1, "it was one stream");
}

#[tokio::test]
async fn a_fresh_credential_that_is_refused_stops_it() {
    let server = server().await;
    let fetched = Arc::new(AtomicUsize::new(0));
    let mut subscriber = Subscriber::open(renewing(server.address(), &fetched, 0)).unwrap();
    let stopped = within(PATIENCE, "the end", subscriber.next()).await.unwrap().unwrap_err();
    assert!(matches!(&stopped, Stopped::Refused(refusal) if refusal.status == 401), "{stopped:?}");
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}
