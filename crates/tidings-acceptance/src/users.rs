//! Users: made by the command line, signed in as a browser does.

use std::net::SocketAddr;

use serde_json::json;

use crate::http::{Answer, ask};
use crate::server::Server;
use crate::target::Target;

/// A user who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: String,
    /// What it signs in with.
    pub email: String,
    /// Its password.
    pub password: String,
}

impl User {
    /// Makes a user of the tenant `default`; `more` are further flags, e.g. `--role admin`.
    ///
    /// # Panics
    /// If the command fails.
    pub async fn add(server: &Server, email: &str, more: &[&str]) -> Self {
        let made = server.json(&[&["user", "add", email, "--generate"], more].concat()).await;
        let text =
            |member: &str| made[member].as_str().unwrap_or_else(|| panic!("{member}: {made}")).to_owned();
        Self { id: text("id"), email: text("email"), password: text("password") }
    }

    /// Signs in; the target shows the session's cookie.
    ///
    /// # Panics
    /// If that is refused.
    pub async fn sign_in(&self, address: SocketAddr) -> Target {
        let answer = sign_in(address, &self.email, &self.password).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        let cookie = answer.head.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        Target::new(address, cookie.expect("a session's cookie"))
    }

    /// Makes a key that acts as this user; its id and a target that shows it.
    ///
    /// # Panics
    /// If the command fails.
    pub async fn key(&self, server: &Server, name: &str) -> (String, Target) {
        let made = server.json(&["key", "create", "--name", name, "--user", &self.email]).await;
        let text = |member: &str| made[member].as_str().unwrap_or_else(|| panic!("{member}: {made}"));
        (text("id").to_owned(), Target::new(server.address(), text("key")))
    }
}

/// What a sign-in is answered.
///
/// # Panics
/// If it is not answered at all.
pub async fn sign_in(address: SocketAddr, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password}).to_string();
    ask(&Target::new(address, ""), "POST", "/auth/login", Some(&body)).await.expect("an answer to a sign-in")
}
