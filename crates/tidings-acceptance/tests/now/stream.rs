//! One stream of numbered events, whatever carries it, and everything that it has said.

use serde_json::Value;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Frame, Frames, Subscription, Target, Transport};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::h2::H2;
use crate::traffic::{CAST, CHANNEL, QUIET};

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Sse,
    SseOverHttp2,
    WebSocket,
    Poll,
    /// A poll that waits on a channel of which nothing comes.
    QuietPoll,
    /// The stream of the cast.
    Cast,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Sse, Self::SseOverHttp2, Self::WebSocket, Self::Poll, Self::QuietPoll, Self::Cast];
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Event {
        number: u64,
        /// By the server's clock.
        time: String,
    },
    Control(String, Value),
    /// The status and code of a poll's last answer, or of a refused opening.
    Refused(u16, String),
    /// The close code of a WebSocket.
    Closed(u16),
    Broken(String),
}

/// Everything that one stream said, and when.
pub(crate) type Log = Vec<(Instant, Said)>;

enum Open {
    Frames(Box<Frames>),
    H2(H2),
    Native(Subscription),
}

/// A stream that is being read.
pub(crate) struct Stream {
    pub(crate) way: Way,
    /// How many events have come, and the latest one's number.
    pub(crate) reached: watch::Receiver<(u64, u64)>,
    task: JoinHandle<Log>,
}

fn native(way: Way) -> Transport {
    match way {
        Way::WebSocket => Transport::Ws,
        Way::Poll | Way::QuietPoll => Transport::Poll,
        _ => Transport::Sse,
    }
}

/// Opens a stream; what is said where it is refused.
async fn open(way: Way, target: &Target, since: Option<&str>) -> Result<Open, Said> {
    let cast = format!("/api/casts/{CAST}/events?type=artifact");
    let of_answer = |answer: tidings_acceptance::http::Answer| Said::Refused(answer.status(), answer.code());
    match way {
        Way::Cast => {
            let path = since.map_or(cast.clone(), |since| format!("{cast}&since={since}"));
            Frames::open(target, &path, "")
                .await
                .map(|frames| Open::Frames(Box::new(frames)))
                .map_err(of_answer)
        }
        Way::SseOverHttp2 => {
            let since = since.map_or(String::new(), |since| format!("&since={since}"));
            let path = format!("/v1/events?channel={CHANNEL}{since}");
            H2::open(target, &path).await.map(Open::H2).map_err(|status| Said::Refused(status, String::new()))
        }
        _ => {
            let ask = Ask::of(&[if way == Way::QuietPoll { QUIET } else { CHANNEL }]);
            let ask = since
                .filter(|_| way != Way::Poll && way != Way::QuietPoll)
                .map_or(ask.clone(), |since| ask.since(since));
            match Subscription::open(native(way), target, &ask).await {
                Ok(open) => Ok(Open::Native(open)),
                Err(closed) => Err(of_closed(closed)),
            }
        }
    }
}

fn of_closed(closed: Closed) -> Said {
    match closed {
        Closed::Refused { status, code } => Said::Refused(status, code),
        Closed::Ended(Some(code)) => Said::Closed(code),
        Closed::Ended(None) => Said::Broken("ended".to_owned()),
        Closed::Broken(error) => Said::Broken(error.to_string()),
    }
}

/// A time as the server writes it: such texts are ordered as the times are.
fn time(value: &Value) -> String {
    value.as_str().filter(|text| text.len() == 24 && text.ends_with('Z')).expect("a time").to_owned()
}

fn of_event(event: &Value) -> Said {
    Said::Event { number: event["data"].as_u64().expect("a number"), time: time(&event["time"]) }
}

fn of_frame(frame: Frame) -> Option<Said> {
    if frame.is_control() {
        return Some(Said::Control(frame.name, frame.data));
    }
    match frame.name.as_str() {
        "" => None,
        "artifact" => {
            let url = frame.data["artifactUrl"].as_str().unwrap();
            let number = url.rsplit('/').next().unwrap().parse().unwrap();
            Some(Said::Event { number, time: time(&frame.data["timestamp"]) })
        }
        _ => Some(of_event(&frame.data)),
    }
}

impl Open {
    /// What comes next; `None` once the stream is over, and what was said has been.
    async fn next(&mut self) -> (Option<Said>, bool) {
        let frame = match self {
            Self::Frames(frames) => frames.next().await,
            Self::H2(h2) => h2.next().await,
            Self::Native(native) => {
                return match native.next().await {
                    Ok(Item::Event { data, .. }) => {
                        (Some(of_event(&serde_json::from_str(&data).unwrap())), false)
                    }
                    Ok(Item::Control { name, data, .. }) => {
                        (Some(Said::Control(name, serde_json::from_str(&data).unwrap())), false)
                    }
                    Ok(_) => (None, false),
                    Err(Closed::Ended(None)) => (None, true),
                    Err(closed) => (Some(of_closed(closed)), true),
                };
            }
        };
        match frame {
            Ok(Some(frame)) => (of_frame(frame), false),
            Ok(None) => (None, true),
            Err(error) => (Some(Said::Broken(error.to_string())), true),
        }
    }
}

impl Stream {
    /// Opens a stream and reads it to its end.
    pub(crate) async fn follow(way: Way, target: &Target) -> Self {
        let mut open = open(way, target, None).await.unwrap_or_else(|said| panic!("{way:?}: {said:?}"));
        let (told, reached) = watch::channel((0, 0));
        let task = tokio::spawn(async move {
            let mut log = Log::new();
            loop {
                let (said, over) = open.next().await;
                if let Some(Said::Event { number, .. }) = said {
                    told.send_modify(|reached| *reached = (reached.0 + 1, number));
                }
                log.extend(said.map(|said| (Instant::now(), said)));
                if over {
                    return log;
                }
            }
        });
        Self { way, reached, task }
    }

    /// Everything, once it is over.
    pub(crate) async fn log(self) -> Log {
        self.task.await.unwrap()
    }

    /// Whether it goes on.
    pub(crate) fn is_open(&self) -> bool {
        !self.task.is_finished()
    }
}

/// What is said to a stream that is opened from the beginning: its refusal, with the close code of a WebSocket as status.
pub(crate) async fn refusal(way: Way, target: &Target) -> (u16, String) {
    let said = match open(way, target, Some("start")).await {
        Err(said) => said,
        Ok(mut open) => loop {
            let (said, over) = open.next().await;
            match said {
                Some(Said::Control(name, data)) => assert_eq!(name, "$end", "{way:?} was opened: {data}"),
                Some(Said::Closed(code)) => break Said::Closed(code),
                other => assert!(!over && other.is_none(), "{way:?} was opened: {other:?}"),
            }
        },
    };
    match said {
        Said::Refused(status, code) => (status, code),
        Said::Closed(code) => (code - 4000, String::new()),
        other => panic!("{way:?}: {other:?}"),
    }
}

/// The numbers of the events, which have to follow one another.
pub(crate) fn numbers(log: &Log) -> Vec<u64> {
    let events = log.iter().filter_map(|(_, said)| match said {
        Said::Event { number, .. } => Some(*number),
        _ => None,
    });
    let numbers: Vec<u64> = events.collect();
    let holes: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(holes.is_empty(), "events were lost or came twice: {holes:?}");
    numbers
}
