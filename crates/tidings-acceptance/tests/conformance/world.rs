//! The server of a case, and who asks it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tidings_acceptance::http::ask;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Server, ServerOptions, Target, User};
use tokio::time::sleep;

/// Whom a case's client is.
#[derive(Debug)]
enum Who {
    Key(String),
    User,
    Nobody,
}

/// A server with what a case needs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    /// Publishes, and does what needs every right.
    pub(crate) master: Target,
    /// The credential that the client shows.
    pub(crate) first: Target,
    /// The one that it shows later.
    pub(crate) second: Target,
    who: Who,
}

/// The age that cases set, and the second after which retention looks.
const RETENTION: Duration = Duration::from_secs(3);
const EVERYTHING: [&str; 2] = ["publish:*", "subscribe:*"];

impl World {
    /// The server of a case: `server` are settings, `server_grants` and `server_credential` say who asks.
    pub(crate) async fn of(case: &Value) -> Self {
        let settings = case["server"].as_object().into_iter().flatten();
        let options = settings
            .fold(ServerOptions::new(), |options, (name, value)| options.set(name, value.as_str().unwrap()));
        let server = start(options).await;
        let master = server.key("master", &EVERYTHING).await;
        let grants: Option<Vec<&str>> = case["server_grants"]
            .as_array()
            .map(|grants| grants.iter().map(|grant| grant.as_str().unwrap()).collect());
        let grants = grants.unwrap_or_else(|| EVERYTHING.to_vec());
        let address = server.address();
        let (first, second, who) = match case["server_credential"].as_str() {
            None | Some("own key") => {
                let mut arguments = vec!["key", "create", "--name", "case"];
                arguments.extend(grants.iter().flat_map(|grant| ["--grant", grant]));
                let made = server.json(&arguments).await;
                let target = Target::new(address, made["key"].as_str().unwrap());
                (target.clone(), target, Who::Key(made["id"].as_str().unwrap().to_owned()))
            }
            Some("user session") => {
                let target = admin(&server).await.sign_in(address).await;
                (target.clone(), target, Who::User)
            }
            Some("user key") => {
                let user = admin(&server).await;
                let of_user = ["key", "create", "--user", &user.email, "--name"];
                let brief = server.json(&[&of_user[..], &["brief", "--expires", "40s"]].concat()).await;
                let long = server.json(&[&of_user[..], &["long"]].concat()).await;
                let target = |made: &Value| Target::new(address, made["key"].as_str().unwrap());
                (target(&brief), target(&long), Who::User)
            }
            Some("brief key") => {
                let arguments =
                    ["key", "create", "--name", "brief", "--expires", "3s", "--grant", "subscribe:*"];
                let made = server.json(&arguments).await;
                let target = Target::new(address, made["key"].as_str().unwrap());
                (target.clone(), target, Who::Nobody)
            }
            Some("wrong") => (Target::new(address, "wrong"), Target::new(address, "wrong"), Who::Nobody),
            Some(other) => panic!("no credential: {other}"),
        };
        Self { server, master, first, second, who }
    }

    /// The credential of this name.
    pub(crate) fn target(&self, name: Option<&str>) -> Target {
        match name {
            None | Some("first") => self.first.clone(),
            Some("second") => self.second.clone(),
            Some("master") => self.master.clone(),
            Some(other) => Target::new(self.server.address(), other),
        }
    }

    /// Something that happens on the server's side.
    pub(crate) async fn happen(&mut self, step: &Value) {
        match (step["world"].as_str().unwrap(), &self.who) {
            ("restart", _) => {
                self.server.stop().await;
                self.server.run().await;
            }
            ("stop", _) => self.server.terminate(),
            ("start", _) => {
                self.server.ended(Duration::from_secs(20)).await;
                self.server.run().await;
            }
            ("expire", _) => {
                // What was published lately is given from memory; after a restart it is read.
                sleep(RETENTION).await;
                self.server.stop().await;
                self.server.run().await;
                let path = format!("/v1/history?channel={}", step["channel"].as_str().unwrap());
                until(Duration::from_secs(20), "retention", async || {
                    let answer = ask(&self.master, "GET", &path, None).await.unwrap().json();
                    answer["events"].as_array().is_some_and(Vec::is_empty).then_some(())
                })
                .await;
            }
            ("revoke", Who::Key(id)) => drop(self.server.json(&["key", "revoke", id]).await),
            ("ungrant", Who::Key(id)) => {
                drop(self.server.json(&["key", "ungrant", id, step["grant"].as_str().unwrap()]).await);
            }
            ("sign out", Who::User) => {
                let answer = ask(&self.first, "POST", "/auth/logout", None).await.unwrap();
                assert_eq!(answer.status(), 204);
            }
            (other, who) => panic!("{other} does not happen to {who:?}"),
        }
    }
}

/// A server at an address that no other case has chosen at the same moment.
async fn start(options: ServerOptions) -> Server {
    static CHOSEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    let mut server = loop {
        let server = Server::prepare(options.clone());
        if CHOSEN.lock().unwrap().insert(server.address()) {
            break server;
        }
    };
    server.run().await;
    server
}

async fn admin(server: &Server) -> User {
    User::add(server, "case@example.test", &["--role", "admin"]).await
}
