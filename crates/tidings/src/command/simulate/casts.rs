//! Casts of a backend that is not there: each is created by its first event, and told of until it ends.
//!
//! Invariants: at most [`AT_ONCE`] run at a time; on Ctrl-C nothing new begins, and what has begun is cancelled, so that
//! none is left running for ever; the first refusal stops everything in the same way.

use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use http::Method;
use serde_json::json;
use tidings_apps::casts::CastId;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::script::{Ending, Step, cancelled, script};
use crate::client::{Client, ServerArgs};
use crate::config::Sources;
use crate::config::units::parse_duration;
use crate::failure::Failure;
use crate::output::{Output, say};

/// Casts that run at once.
const AT_ONCE: usize = 50;
/// Longest id that is taken here, so that each of several can have a number behind it.
const ID_BYTES: usize = 100;
/// The owner of casts for whom nobody was named: no user that signs in, so that only admins see them.
const NOBODY: &str = "simulator";

/// What is simulated.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Whose the casts are: the id of a user, as `tidings user list` shows it [default: of casts that are there already
    /// whose they are, else simulator]
    #[arg(long, value_name = "USER-ID")]
    user: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    count: u64,
    /// How long each runs
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// The cast's id; of several, what their ids begin with [default: drawn]
    #[arg(long, value_parser = parse_id)]
    id: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

fn parse_id(text: &str) -> Result<String, String> {
    let is_id = text.len() <= ID_BYTES && CastId::new(text).is_some();
    is_id
        .then(|| text.to_owned())
        .ok_or_else(|| format!("an id here is 1 to {ID_BYTES} of A-Z a-z 0-9 . _ ~ @ -"))
}

impl Args {
    /// Without it the server takes whose the cast is, which a cast that is new does not have.
    fn owner(&self) -> Option<String> {
        self.user.clone().or_else(|| self.id.is_none().then(|| NOBODY.to_owned()))
    }

    fn ids(&self) -> Vec<String> {
        let base = self.id.clone().unwrap_or_else(|| format!("cast_sim_{:08x}", rand::random::<u32>()));
        match self.count {
            1 => vec![base],
            count => (1..=count).map(|number| format!("{base}_{number}")).collect(),
        }
    }
}

/// Tells of casts until each has ended, or Ctrl-C.
///
/// # Errors
/// The server cannot be reached, or refuses.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let client = Client::new(args.server.target(sources)?);
    let (stop, stopping) = watch::channel(false);
    let interrupted = async {
        // Where it cannot be caught, Ctrl-C ends the process as it does without this.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        say("stopping: what has begun is cancelled");
    };
    let running = all(args, client, stopping, Some(output));
    tokio::pin!(running);
    tokio::select! {
        done = &mut running => done,
        () = interrupted => {
            let _ = stop.send(true);
            running.await
        }
    }
}

async fn all(
    args: &Args,
    client: Client,
    mut stopping: watch::Receiver<bool>,
    output: Option<Output>,
) -> Result<(), Failure> {
    let client = Arc::new(client);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let (fail, failing) = watch::channel(false);
    let (mut casts, mut outcome) = (JoinSet::new(), Ok(()));
    for (place, id) in args.ids().into_iter().enumerate() {
        let ready = tokio::select! {
            permit = Arc::clone(&places).acquire_owned() => permit.ok(),
            () = raised(&mut stopping) => None,
        };
        while let Some(done) = casts.try_join_next() {
            outcome = outcome.and(flatten(done));
        }
        let Some(permit) = ready.filter(|_| outcome.is_ok()) else { break };
        let steps =
            script(&id, Ending::of(place, usize::try_from(args.count).unwrap_or(usize::MAX)), args.duration);
        let cast = Cast { client: Arc::clone(&client), id, owner: args.owner(), output };
        let (stopping, failing) = (stopping.clone(), failing.clone());
        casts.spawn(async move {
            let lived = cast.live(steps, stopping, failing).await;
            drop(permit);
            lived
        });
    }
    loop {
        if outcome.is_err() {
            let _ = fail.send(true);
        }
        match casts.join_next().await {
            Some(done) => outcome = outcome.and(flatten(done)),
            None => return outcome,
        }
    }
}

/// Waits until the flag is up, or will be changed by nobody.
async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|is_up| *is_up).await;
}

fn flatten(done: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    done.unwrap_or_else(|error| Err(Failure::new(error.to_string())))
}

/// One cast that is told of.
struct Cast {
    client: Arc<Client>,
    id: String,
    owner: Option<String>,
    /// Where it is shown; nowhere in tests.
    output: Option<Output>,
}

impl Cast {
    /// Tells each step when its time has come; where one of the two says so, that it is cancelled instead.
    async fn live(
        &self,
        steps: Vec<Step>,
        mut stopping: watch::Receiver<bool>,
        mut failing: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        for (number, step) in steps.iter().enumerate() {
            tokio::select! {
                biased;
                () = raised(&mut stopping) => return self.give_up(number).await,
                () = raised(&mut failing) => return self.give_up(number).await,
                () = sleep(step.after) => {}
            }
            self.tell(step).await?;
        }
        Ok(())
    }

    /// Cancels it after so many steps.
    async fn give_up(&self, told: usize) -> Result<(), Failure> {
        if told == 0 { Ok(()) } else { self.tell(&cancelled(Duration::ZERO)).await }
    }

    async fn tell(&self, step: &Step) -> Result<(), Failure> {
        let body = json!({ "type": step.kind, "data": step.data, "userId": self.owner });
        let path = format!("/api/casts/{}/events", self.id);
        self.client.ask(Method::POST, &path, body.to_string().into_bytes()).await?;
        let Some(output) = self.output else { return Ok(()) };
        let told = json!({ "castId": self.id, "type": step.kind, "data": step.data });
        output.data(&told, |_| format!("{} {} {}", self.id, step.kind, step.data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::target::Target;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;

    const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n\
                           {\"code\":\"forbidden\",\"detail\":\"It may not tell.\"}";

    /// A server that gives one answer to everything, and notes what it is told.
    struct Server {
        client: Client,
        told: Arc<Mutex<Vec<String>>>,
        heard: Arc<Notify>,
    }

    impl Server {
        async fn start(answer: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = Client::new(Target::at(listener.local_addr().unwrap()));
            let server = Self { client, told: Arc::default(), heard: Arc::default() };
            let (told, heard) = (Arc::clone(&server.told), Arc::clone(&server.heard));
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let line = request(&mut stream).await;
                    told.lock().unwrap().push(line);
                    heard.notify_one();
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
            server
        }

        async fn all(&self, args: &Args, stopping: watch::Receiver<bool>) -> Result<(), Failure> {
            all(args, self.client.clone(), stopping, None).await
        }

        fn told(&self) -> Vec<String> {
            self.told.lock().unwrap().clone()
        }
    }

    /// The path and the event's type of one request.
    async fn request(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        while !text.ends_with('}') {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        format!("{} {}", head.split(' ').nth(1).unwrap(), body["type"].as_str().unwrap())
    }

    fn args(count: u64, duration: Duration) -> Args {
        let server = ServerArgs::default();
        Args { user: Some("usr_x".into()), count, duration, id: Some("c".into()), server }
    }

    #[tokio::test]
    async fn casts_are_told_of_until_they_end() {
        let server = Server::start(TAKEN).await;
        let (_stop, stopping) = watch::channel(false);
        server.all(&args(5, Duration::ZERO), stopping).await.unwrap();
        let told = server.told();
        for (id, last) in [("c_1", "COMPLETED"), ("c_4", "FAILED"), ("c_5", "STATUS_CHANGED")] {
            let of: Vec<_> = told.iter().filter(|line| line.contains(&format!("/{id}/"))).collect();
            assert!(of[0].ends_with("STATUS_CHANGED") && of.last().unwrap().ends_with(last), "{of:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_stopped_cancels_what_it_has_begun() {
        let server = Server::start(TAKEN).await;
        let (stop, stopping) = watch::channel(false);
        let args = args(1, Duration::from_secs(3600));
        let (done, ()) = tokio::join!(server.all(&args, stopping), async {
            server.heard.notified().await;
            stop.send(true).unwrap();
        });
        done.unwrap();
        assert_eq!(server.told(), ["/api/casts/c/events STATUS_CHANGED"; 2]);
    }

    #[tokio::test]
    async fn a_refusal_is_said_and_ends_it() {
        let server = Server::start(REFUSED).await;
        let (_stop, stopping) = watch::channel(false);
        let refused =
            server.all(&args(1, Duration::from_secs(3600)), stopping).await.unwrap_err().to_string();
        assert_eq!(refused, "It may not tell. (forbidden)");
        assert_eq!(server.told().len(), 1);
    }

    #[test]
    fn ids_go_into_a_path_as_they_are() {
        assert!(parse_id("cast_demo-1.a").is_ok());
        for bad in ["", "a/b", "a b", "a?b", "ä"] {
            assert!(parse_id(bad).is_err(), "{bad}");
        }
    }
}
