//! Following a stream over lost connections, without losing or repeating anything.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidings_protocol::sse::{Decoder, Event, Item};
use tokio::time::{sleep, timeout};

use super::Query;
use super::http::Client;
use super::resume::{End, Ending, Next, Resume};
use crate::failure::Failure;
use crate::output::say;

/// A stream that says nothing for so long is taken for lost. Longer than two heartbeats of a server with defaults.
const SILENCE: Duration = Duration::from_secs(90);
/// The longest line or event that is read, in bytes.
const EVENT_BYTES: usize = 1 << 20;

/// What is done with each event, controls too; `false` ends following.
pub(crate) type Take<'a> = dyn FnMut(&Event<'_>) -> Result<bool, Failure> + 'a;

/// How a connection ended, or that the taker has enough.
#[derive(Debug)]
enum Outcome {
    Ending(Ending),
    Enough,
}

/// A stream that is followed.
#[derive(Debug)]
pub(crate) struct Follower {
    client: Client,
    query: Query,
    /// Everything up to here was taken.
    position: String,
    resume: Resume,
}

impl Follower {
    /// Follows what the query asks for.
    pub(crate) fn new(client: Client, query: Query) -> Self {
        Self { client, query, position: String::new(), resume: Resume::default() }
    }

    /// Follows until the stream ends for good or `take` has enough.
    ///
    /// # Errors
    /// The first connection was not made, the server said to stop, or `take` failed.
    pub(crate) async fn run(mut self, take: &mut Take<'_>) -> Result<(), Failure> {
        loop {
            let ending = match self.connection(take).await? {
                Outcome::Enough => return Ok(()),
                Outcome::Ending(ending) => ending,
            };
            match self.resume.next(ending, rand::random()) {
                Next::Return(delay, why) => {
                    say(&format!("tidings: {why}; coming back in {:.1} s", delay.as_secs_f64()));
                    sleep(delay).await;
                }
                Next::Done(why) => {
                    say(&format!("tidings: the stream has ended: {why}"));
                    return Ok(());
                }
                Next::Stop(failure) => return Err(failure),
            }
        }
    }

    async fn connection(&mut self, take: &mut Take<'_>) -> Result<Outcome, Failure> {
        let mut body = match self.client.stream(self.query.as_str(), &self.position).await {
            Ok(response) => response.into_body(),
            Err(trouble) => return Ok(Outcome::Ending(Ending::Refused(trouble))),
        };
        self.resume.opened();
        let mut decoder = Decoder::resuming(EVENT_BYTES, self.position.clone());
        loop {
            let read = match read(&mut body).await {
                Ok(read) => read,
                Err(why) => return Ok(Outcome::Ending(Ending::Lost(why))),
            };
            if let Some(outcome) = self.feed(&mut decoder, &read, take)? {
                return Ok(outcome);
            }
        }
    }

    /// Takes what was read; an outcome where the connection is done with.
    fn feed(
        &mut self,
        decoder: &mut Decoder,
        mut read: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        loop {
            let item = match decoder.decode(&mut read) {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(Outcome::Ending(Ending::Lost(error.to_string())))),
            };
            if let Some(outcome) = self.item(&item, take)? {
                return Ok(Some(outcome));
            }
        }
    }

    fn item(&mut self, item: &Item<'_>, take: &mut Take<'_>) -> Result<Option<Outcome>, Failure> {
        match item {
            Item::Event(event) => {
                event.id.clone_into(&mut self.position);
                if event.event == "$end" {
                    let end: End = serde_json::from_str(event.data).map_err(|error| {
                        Failure::new(format!("the server's `$end` is not understood: {error}"))
                    })?;
                    return Ok(Some(Outcome::Ending(Ending::Ended(end))));
                }
                if !event.event.starts_with('$') {
                    self.resume.brought();
                }
                if !take(event)? {
                    return Ok(Some(Outcome::Enough));
                }
            }
            Item::Position(id) => (*id).clone_into(&mut self.position),
            Item::Retry(delay) => self.resume.named(*delay),
            Item::Comment(_) => {}
        }
        Ok(None)
    }
}

async fn read(body: &mut Incoming) -> Result<Bytes, String> {
    loop {
        match timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(data);
                }
            }
            Ok(Some(Err(error))) => return Err(format!("the connection was lost ({error})")),
            Ok(None) => return Err("the connection was closed".to_owned()),
            Err(_) => return Err(format!("nothing came for {} s", SILENCE.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::target::Target;

    fn follower() -> Follower {
        let client = Client::new(Target::at("127.0.0.1:1".parse().unwrap()));
        Follower::new(client, Query::of("/v1/events"))
    }

    /// Feeds a connection's text in pieces of three bytes; answers what was taken, and how it ended.
    fn fed(follower: &mut Follower, text: &str, enough: usize) -> (Vec<String>, Option<Outcome>) {
        let mut taken = Vec::new();
        let mut take = |event: &Event<'_>| {
            taken.push(event.event.to_owned());
            Ok(taken.len() < enough)
        };
        let mut decoder = Decoder::resuming(EVENT_BYTES, follower.position.clone());
        let mut outcome = None;
        for piece in text.as_bytes().chunks(3) {
            outcome = follower.feed(&mut decoder, piece, &mut take).unwrap();
            if outcome.is_some() {
                break;
            }
        }
        (taken, outcome)
    }

    #[test]
    fn the_position_is_that_of_the_last_whole_block() {
        let mut follower = follower();
        let text = "retry: 1000\n\nid: a\nevent: $ready\ndata: {}\n\nid: b\nevent: x\ndata: 1\n\nid: c\n\nid: d\nevent: x";
        let (taken, outcome) = fed(&mut follower, text, 9);
        assert_eq!(taken, ["$ready", "x"]);
        assert!(outcome.is_none());
        assert_eq!(follower.position, "c");
    }

    #[test]
    fn an_end_without_an_id_keeps_the_position() {
        let mut follower = follower();
        follower.position = "k".to_owned();
        let text = "event: $end\ndata: {\"reason\":\"capacity\",\"retry\":\"later\",\"after\":7}\n\n";
        let (taken, outcome) = fed(&mut follower, text, 9);
        let Some(Outcome::Ending(Ending::Ended(end))) = outcome else { panic!("{outcome:?}") };
        assert_eq!((end.reason.as_str(), end.after), ("capacity", Some(7)));
        assert_eq!((taken.len(), follower.position.as_str()), (0, "k"));
    }

    #[test]
    fn the_taker_may_have_enough() {
        let (taken, outcome) = fed(&mut follower(), "event: x\ndata: 1\n\nevent: y\ndata: 2\n\n", 1);
        assert_eq!(taken, ["x"]);
        assert!(matches!(outcome, Some(Outcome::Enough)));
    }
}
