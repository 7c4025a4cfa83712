//! Passwords that are tried: so many a minute by address and by email.

use serde_json::json;
use tidings_acceptance::casts::send;
use tidings_acceptance::http::Answer;
use tidings_acceptance::users::sign_in;
use tidings_acceptance::{Server, ServerOptions, Target, User, report};

fn is_too_many(answer: &Answer) -> bool {
    answer.code() == "rate_limited" && answer.status() == 429 && answer.head.header("retry-after").is_some()
}

#[tokio::test]
async fn an_address_tries_ten_a_minute() {
    let server = Server::start(ServerOptions::default()).await;
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let address = server.address();
    assert_eq!(sign_in(address, &ann.email, &ann.password).await.status(), 200);
    for n in 0..9 {
        let answer = sign_in(address, &format!("nobody{n}@example.test"), "wrong").await;
        assert_eq!(answer.status(), 401, "{n}");
    }
    // The right password now finds out nothing either.
    let answer = sign_in(address, &ann.email, &ann.password).await;
    assert!(is_too_many(&answer), "{} {}", answer.status(), answer.json());
    report("limits: 10 passwords from one address, then too many");
}

#[tokio::test]
async fn an_email_is_tried_ten_times_a_minute_from_wherever() {
    let server = Server::start(ServerOptions::default().set("behind_proxy", "true")).await;
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let ben = User::add(&server, "ben@example.test", &[]).await;
    let nobody = Target::new(server.address(), "");
    let attempt = async |user: &User, password: &str, n: usize| {
        let body = json!({"email": user.email, "password": password});
        let from = format!("x-forwarded-for: 203.0.113.{n}\r\n");
        send(&nobody, "POST", "/auth/login", &from, Some(&body)).await
    };
    for n in 0..10 {
        assert_eq!(attempt(&ann, "wrong", n).await.status(), 401, "{n}");
    }
    assert!(is_too_many(&attempt(&ann, &ann.password, 50).await));
    let capitals = User { email: ann.email.to_uppercase(), ..ann.clone() };
    assert!(is_too_many(&attempt(&capitals, &ann.password, 51).await), "an email is one in capitals too");
    assert_eq!(attempt(&ben, &ben.password, 52).await.status(), 200);
    report("limits: 10 passwords for one email from ten addresses, then too many");
}
