//! Casts over HTTP, as documents 1 and 2 of the requirements have them: records, helpers, streams, native channels.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod channels;
mod crash;
mod finished;
mod life;
mod records;
mod seam;
mod several;
mod telling;

use std::time::Duration;

use tidings_acceptance::{Frame, Frames, Server, ServerOptions, Target, User, within};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server and those who use it.
struct World {
    server: Server,
    /// A service key that may do everything with casts.
    helper: Target,
    /// Ann, who owns casts, signed in.
    ann: Target,
    ann_user: User,
    /// Ben, who owns others.
    ben: Target,
    ben_user: User,
    /// An admin.
    admin: Target,
}

impl World {
    async fn make() -> Self {
        Self::with(ServerOptions::new()).await
    }

    async fn with(options: ServerOptions) -> Self {
        let server = Server::start(options).await;
        let helper = server.key("helper", &["publish:cast:*", "subscribe:*"]).await;
        let ann_user = User::add(&server, "ann@example.test", &[]).await;
        let ben_user = User::add(&server, "ben@example.test", &[]).await;
        let admin = User::add(&server, "root@example.test", &["--role", "admin"]).await;
        let address = server.address();
        Self {
            helper,
            ann: ann_user.sign_in(address).await,
            ben: ben_user.sign_in(address).await,
            admin: admin.sign_in(address).await,
            ann_user,
            ben_user,
            server,
        }
    }

    /// Opens the stream of a path.
    async fn open(&self, target: &Target, path: &str) -> Frames {
        self.open_with(target, path, "").await
    }

    async fn open_with(&self, target: &Target, path: &str, more: &str) -> Frames {
        let opened = within(PATIENCE, path, Frames::open(target, path, more)).await;
        opened.unwrap_or_else(|answer| panic!("{path}: {} {}", answer.status(), answer.json()))
    }

    /// Opens a stream that ends of its own accord and reads it whole.
    async fn whole(&self, target: &Target, path: &str) -> Vec<Frame> {
        let mut stream = self.open(target, path).await;
        within(PATIENCE, &format!("the end of {path}"), stream.rest()).await
    }

    /// The status and code with which a stream is refused.
    async fn refusal(&self, target: &Target, path: &str) -> (u16, String) {
        match within(PATIENCE, path, Frames::open(target, path, "")).await {
            Ok(_) => panic!("{path} was opened"),
            Err(answer) => (answer.status(), answer.code()),
        }
    }

    /// Nobody: no valid credential.
    fn nobody(&self) -> Target {
        Target::new(self.server.address(), "")
    }
}

/// The names of frames, in order.
fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.name.as_str()).collect()
}

/// The last id that these frames carry.
fn last_id(frames: &[Frame]) -> String {
    frames.iter().rev().find_map(|frame| frame.id.clone()).expect("an id")
}

/// The data of the only `$end`, which is the last frame.
fn end(frames: &[Frame]) -> &serde_json::Value {
    let ends = frames.iter().filter(|frame| frame.name == "$end").count();
    let last = frames.last().expect("frames");
    assert_eq!((ends, last.name.as_str()), (1, "$end"), "{frames:?}");
    &last.data
}
