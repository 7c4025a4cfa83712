//! Keys that are fetched: how often, for how long, and what happens while they cannot be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;

/// An issuer's server on loopback: answers every request with what it was last told to, and counts.
struct Site {
    address: SocketAddr,
    fetches: Arc<AtomicUsize>,
    answer: Arc<Mutex<String>>,
    /// One permit lets one answer go.
    gate: Option<Arc<Semaphore>>,
}

impl Site {
    async fn start(answer: String) -> Self {
        Self::start_with(answer, None).await
    }

    async fn start_with(answer: String, gate: Option<Arc<Semaphore>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fetches, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(answer)));
        let site = Self { address, fetches: fetches.clone(), answer: answer.clone(), gate: gate.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                fetches.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), gate.clone()));
            }
        });
        site
    }

    fn says(&self, answer: String) {
        *self.answer.lock() = answer;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn issuer(&self, algorithms: &[Algorithm]) -> IssuerConfig {
        let key = TokenKey::es256();
        let keys = KeySource::Jwks(format!("http://{}/keys?a=b", self.address));
        IssuerConfig { algorithms: algorithms.to_vec(), keys, ..issuer(&[(&key, None)]) }
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<String>>, gate: Option<Arc<Semaphore>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"GET /keys?a=b HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&head));
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let answer = answer.lock().clone();
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn set(keys: &[Value]) -> String {
    response("200 OK", "", &json!({"keys": keys}).to_string())
}

fn jwk(key: &TokenKey, changes: &Value) -> Value {
    let mut jwk = key.jwk();
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn named(key: &TokenKey, kid: &str) -> Value {
    jwk(key, &json!({"kid": kid}))
}

const PUBLIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

const UNKNOWN: Result<(), Invalid> = Err(Invalid::Token("the issuer has no such key"));

async fn verify(verifier: &Verifier, key: &TokenKey, kid: &str, now: Timestamp) -> Result<(), Invalid> {
    let token = Forger { claims: changed_exp(), ..forger(key, Some(kid)) }.with_claims(&json!({}));
    verifier.verify(&token, now).await.map(drop)
}

/// Good for longer than any test here goes on.
fn changed_exp() -> Value {
    let mut claims = claims();
    claims["exp"] = json!(NOW + 1_000_000);
    claims
}

#[tokio::test]
async fn forged_tokens_are_refused_with_keys_from_a_url_too() {
    for key in [TokenKey::rs256(), TokenKey::es256(), TokenKey::ed_dsa()] {
        let site = Site::start(set(&[named(&key, "key-a")])).await;
        let verifier = verifier(&[site.issuer(&[algorithm(&key)])]);
        let forger = forger(&key, Some("key-a"));
        for (name, token) in forger.twins() {
            assert!(verifier.verify(&token, at(NOW)).await.is_ok(), "{} {name}", key.alg());
        }
        for (name, token) in forger.forged() {
            let refused = verifier.verify(&token, at(NOW)).await;
            assert!(matches!(refused, Err(Invalid::Token(_))), "{} {name}: {refused:?}", key.alg());
        }
        assert_eq!(site.fetches(), 2, "one for the first token, one for the first unknown name");
    }
}

#[tokio::test]
async fn a_crowd_costs_one_fetch() {
    let key = TokenKey::es256();
    let gate = Arc::new(Semaphore::new(0));
    let site = Site::start_with(set(&[named(&key, "a")]), Some(gate.clone())).await;
    let verifier = Arc::new(verifier(&[site.issuer(&PUBLIC)]));
    let token = forger(&key, Some("a")).with_claims(&json!({}));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token, at(NOW)).await })
        })
        .collect();
    while site.fetches() == 0 {
        tokio::task::yield_now().await;
    }
    // The one that began the fetch gives up; the fetch goes on for the others.
    tasks[0].abort();
    gate.add_permits(1);
    for task in tasks.into_iter().skip(1) {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(site.fetches(), 1);
}

#[tokio::test]
async fn keys_are_good_for_as_long_as_their_sender_says_within_bounds() {
    let key = TokenKey::es256();
    let body = json!({"keys": [named(&key, "a")]}).to_string();
    for (header, life) in [
        ("", 600),
        ("cache-control: max-age=300\r\n", 300),
        ("cache-control: max-age=1\r\n", 60),
        ("cache-control: no-store\r\n", 60),
        ("cache-control: public, max-age=99999999\r\n", 3_600),
    ] {
        let site = Site::start(response("200 OK", header, &body)).await;
        let verifier = verifier(&[site.issuer(&PUBLIC)]);
        for (second, fetches) in [(0, 1), (life - 1, 1), (life, 2)] {
            assert_eq!(verify(&verifier, &key, "a", at(NOW + second)).await, Ok(()), "{header}");
            assert_eq!(site.fetches(), fetches, "{header} after {second} s");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_rotated_in_is_found_and_one_that_is_rotated_out_goes() {
    let (old, new) = (TokenKey::es256(), TokenKey::es256());
    let site = Site::start(set(&[named(&old, "old")])).await;
    let verifier = verifier(&[site.issuer(&PUBLIC)]);
    assert_eq!(verify(&verifier, &old, "old", at(NOW)).await, Ok(()));
    site.says(set(&[named(&new, "new")]));
    assert_eq!(verify(&verifier, &old, "old", at(NOW + 1)).await, Ok(()), "its time is not over");
    assert_eq!(verify(&verifier, &new, "new", at(NOW + 2)).await, Ok(()));
    assert_eq!(verify(&verifier, &old, "old", at(NOW + 3)).await, UNKNOWN);
    assert_eq!(site.fetches(), 2);
}

#[tokio::test]
async fn names_that_nobody_knows_cost_one_fetch_in_half_a_minute() {
    let (key, other) = (TokenKey::es256(), TokenKey::es256());
    let site = Site::start(set(&[named(&key, "a")])).await;
    let verifier = verifier(&[site.issuer(&PUBLIC)]);
    assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Ok(()));
    for number in 0..20 {
        assert_eq!(verify(&verifier, &other, &format!("n{number}"), at(NOW + number)).await, UNKNOWN);
    }
    assert_eq!(site.fetches(), 2);
    assert_eq!(verify(&verifier, &key, "a", at(NOW + 20)).await, Ok(()), "the others go on");
    site.says(set(&[named(&other, "b")]));
    assert_eq!(verify(&verifier, &other, "b", at(NOW + 29)).await, UNKNOWN);
    assert_eq!(verify(&verifier, &other, "b", at(NOW + 30)).await, Ok(()));
    assert_eq!(site.fetches(), 3);
}

#[tokio::test]
async fn the_last_keys_serve_for_a_day_while_none_can_be_fetched() {
    let key = TokenKey::es256();
    let site = Site::start(set(&[named(&key, "a")])).await;
    let verifier = verifier(&[site.issuer(&PUBLIC)]);
    assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Ok(()));
    site.says(response("500 Internal Server Error", "", "{}"));
    for (second, fetches) in [(600, 2), (604, 2), (605, 3), (86_399, 4)] {
        assert_eq!(verify(&verifier, &key, "a", at(NOW + second)).await, Ok(()), "{second}");
        assert_eq!(site.fetches(), fetches, "{second}");
    }
    assert_eq!(verify(&verifier, &key, "a", at(NOW + 86_400)).await, Err(Invalid::KeysUnavailable));
    assert_eq!(verify(&verifier, &key, "b", at(NOW + 86_401)).await, Err(Invalid::KeysUnavailable));
    site.says(set(&[named(&key, "a")]));
    assert_eq!(verify(&verifier, &key, "a", at(NOW + 86_405)).await, Ok(()));
}

#[tokio::test]
async fn what_is_no_key_set_is_not_taken() {
    let key = TokenKey::es256();
    let good = json!({"keys": [named(&key, "a")]}).to_string();
    let many: Vec<Value> = (0..101).map(|number| named(&key, &format!("a{number}"))).collect();
    for (name, answer) in [
        ("an error", response("404 Not Found", "", &good)),
        ("another success", response("203 Non-Authoritative", "", &good)),
        ("a redirect", response("302 Found", "location: /elsewhere\r\n", &good)),
        ("no JSON", response("200 OK", "", "keys")),
        ("no list", response("200 OK", "", "{\"keys\":{}}")),
        ("a list alone", response("200 OK", "", "[]")),
        ("keys twice", response("200 OK", "", &good.replacen('{', "{\"keys\":[],", 1))),
        ("too many keys", set(&many)),
        ("too large", response("200 OK", "", &format!("{good}{}", " ".repeat(256 * 1024)))),
        ("a head without end", format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(100 * 1024))),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("nothing", String::new()),
        ("cut off", response("200 OK", "", &good)[..response("200 OK", "", &good).len() - 3].to_owned()),
    ] {
        let site = Site::start(answer).await;
        let verifier = verifier(&[site.issuer(&PUBLIC)]);
        assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Err(Invalid::KeysUnavailable), "{name}");
        assert_eq!(verify(&verifier, &key, "a", at(NOW + 4)).await, Err(Invalid::KeysUnavailable), "{name}");
        assert_eq!(site.fetches(), 1, "{name}: not again at once");
        site.says(response("200 OK", "", &good));
        assert_eq!(verify(&verifier, &key, "a", at(NOW + 5)).await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn only_keys_for_signatures_of_the_issuers_algorithms_are_taken() {
    let key = TokenKey::es256();
    let (rsa, ed, secret) = (TokenKey::rs256(), TokenKey::ed_dsa(), TokenKey::hs256("published"));
    let with = |changes: Value| jwk(&key, &changes);
    let short = json!({"kty": "RSA", "kid": "a", "e": "AQAB", "n": rsa.jwk()["n"].as_str().unwrap()[..172]});
    for (name, entry, signer, fits) in [
        ("plain", with(json!({"kid": "a"})), &key, true),
        (
            "for signatures",
            with(json!({"kid": "a", "use": "sig", "alg": "ES256", "key_ops": ["verify"]})),
            &key,
            true,
        ),
        ("for encryption", with(json!({"kid": "a", "use": "enc"})), &key, false),
        ("for signing alone", with(json!({"kid": "a", "key_ops": ["sign"]})), &key, false),
        ("of another algorithm", with(json!({"kid": "a", "alg": "ES384"})), &key, false),
        ("of an algorithm of another kind", with(json!({"kid": "a", "alg": "RS256"})), &key, false),
        ("with its private half", with(json!({"kid": "a", "d": "AAAA"})), &key, false),
        ("off the curve", with(json!({"kid": "a", "x": key.jwk()["y"]})), &key, false),
        ("with a name that is none", with(json!({"kid": 7})), &key, false),
        ("RSA", named(&rsa, "a"), &rsa, true),
        ("RSA of 1,032 bits", short, &rsa, false),
        ("not among the issuer's algorithms", named(&ed, "a"), &ed, false),
        ("a secret", named(&secret, "a"), &secret, false),
    ] {
        let site = Site::start(set(&[json!("no object"), json!({"kty": "new"}), entry])).await;
        let verifier = verifier(&[site.issuer(&[Algorithm::Es256, Algorithm::Rs256])]);
        assert_eq!(verify(&verifier, signer, "a", at(NOW)).await.is_ok(), fits, "{name}");
    }
}

#[tokio::test]
async fn a_keys_name_means_nothing_to_another_issuer() {
    let (one, other) = (TokenKey::es256(), TokenKey::es256());
    let sites =
        (Site::start(set(&[named(&one, "same")])).await, Site::start(set(&[named(&other, "same")])).await);
    let second = IssuerConfig {
        tenant: "beta".parse().unwrap(),
        name: "second".to_owned(),
        issuer: "https://second.example".to_owned(),
        ..sites.1.issuer(&PUBLIC)
    };
    let verifier = verifier(&[sites.0.issuer(&PUBLIC), second]);
    let token = |key: &TokenKey, iss: &str| forger(key, Some("same")).with_claims(&json!({"iss": iss}));
    for _ in 0..2 {
        for (key, iss, fits) in [
            (&one, "https://id.example", true),
            (&other, "https://id.example", false),
            (&one, "https://second.example", false),
            (&other, "https://second.example", true),
        ] {
            assert_eq!(verifier.verify(&token(key, iss), at(NOW)).await.is_ok(), fits, "{iss}");
        }
    }
    assert_eq!((sites.0.fetches(), sites.1.fetches()), (1, 1));
}

#[tokio::test]
async fn what_is_refused_without_a_key_costs_no_fetch() {
    let key = TokenKey::es256();
    let site = Site::start(set(&[named(&key, "a")])).await;
    let verifier = verifier(&[site.issuer(&[Algorithm::Es256])]);
    let forger = forger(&key, Some("a"));
    for token in [
        forger.with_header(&json!({"alg": "none"})),
        forger.with_header(&json!({"alg": "RS256"})),
        forger.with_header(&json!({"jku": "https://attacker.example"})),
        forger.with_claims(&json!({"iss": "https://attacker.example"})),
    ] {
        assert!(verifier.verify(&token, at(NOW)).await.is_err());
    }
    assert_eq!(site.fetches(), 0);
    assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Ok(()));
}

#[tokio::test]
async fn nobody_there_is_unavailable_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let key = TokenKey::es256();
    let keys = KeySource::Jwks(format!("http://{address}/keys"));
    let verifier = verifier(&[IssuerConfig { keys, ..issuer(&[(&key, None)]) }]);
    assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Err(Invalid::KeysUnavailable));
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_given_up() {
    let key = TokenKey::es256();
    let site = Site::start_with(set(&[named(&key, "a")]), Some(Arc::new(Semaphore::new(0)))).await;
    let verifier = verifier(&[site.issuer(&PUBLIC)]);
    let begun = tokio::time::Instant::now();
    tokio::time::pause();
    assert_eq!(verify(&verifier, &key, "a", at(NOW)).await, Err(Invalid::KeysUnavailable));
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert!(site.gate.is_some());
}
