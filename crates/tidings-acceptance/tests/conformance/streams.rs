//! An open stream of any transport, as blocks of `id`, `event` and `data`.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tidings_acceptance::frames::{Frame, Parser};
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::ws::Ws;
use tidings_acceptance::{Ask, Call, Frames, Target};

/// An open stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Sse(Box<Frames>),
    Ws(Box<Ws>),
    /// A refusal that an EventSource can live with: what it says.
    Said(VecDeque<Frame>),
}

/// A refusal: its status, or what stands for it in a close code; its code, `at` and `Retry-After`.
pub(crate) type Refused = (u64, String, Option<String>, bool);

/// What a stream is asked with.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Pairs, as they stand in a query.
    pub(crate) query: Vec<(&'static str, String)>,
    /// The path of server-sent events.
    pub(crate) path: String,
    /// Further header lines.
    pub(crate) headers: Vec<(String, String)>,
}

impl Asked {
    fn target(&self, path: &str) -> String {
        let pairs: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{path}?{}", pairs.join("&"))
    }
}

impl Stream {
    /// Opens one over `sse`, `websocket` or `eventsource`.
    pub(crate) async fn open(over: &str, target: &Target, asked: &Asked) -> Result<Self, String> {
        if over == "websocket" {
            let ask = asked.query.iter().fold(Ask::default(), |ask, (name, value)| ask.with(name, value));
            let opened = Ws::open(target, &ask).await;
            return opened.map(|ws| Self::Ws(Box::new(ws))).map_err(|closed| format!("{closed:?}"));
        }
        let lines: String =
            asked.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let opened = Frames::open(target, &asked.target(&asked.path), &lines).await;
        let frames = match opened {
            Ok(frames) => frames,
            Err(answer) if answer.status() == 200 => {
                let said = Parser::default().push(&answer.body).map_err(|error| error.to_string())?;
                return Ok(Self::Said(said.into_iter().filter(|frame| !frame.name.is_empty()).collect()));
            }
            Err(answer) => return Err(format!("refused: {} {}", answer.status(), answer.json())),
        };
        let header = |name: &str| frames.head.header(name).unwrap_or_default().to_owned();
        let found = [header("content-type"), header("cache-control"), header("x-accel-buffering")];
        let expected = ["text/event-stream; charset=utf-8", "no-cache, no-transform", "no"];
        if found != expected {
            return Err(format!("the headers are {found:?}"));
        }
        Ok(Self::Sse(Box::new(frames)))
    }

    /// How the server refuses one.
    pub(crate) async fn refused(over: &str, target: &Target, asked: &Asked) -> Result<Refused, String> {
        if over == "websocket" {
            let reply = Call::socket(asked.target("/v1/ws")).by(target).patient().make(target.address).await;
            let (code, why) = reply.close.clone().ok_or_else(|| format!("not refused: {}", reply.told()))?;
            let status = match code {
                4401 => 401,
                4429 => 429,
                4403 => 403,
                4001 => 503,
                other => return Err(format!("closed with {other}")),
            };
            return Ok((status, why, None, false));
        }
        let lines: String =
            asked.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        match Frames::open(target, &asked.target(&asked.path), &lines).await {
            Ok(_) => Err("not refused".to_owned()),
            Err(answer) => {
                let at = answer.json()["at"].as_str().map(str::to_owned);
                let after = answer.head.header("retry-after").is_some();
                Ok((answer.status().into(), answer.code(), at, after))
            }
        }
    }

    /// The next block; null once the stream has ended in order. A position alone has only an `id`.
    pub(crate) async fn next(&mut self) -> Result<Value, String> {
        match self {
            Self::Sse(frames) => loop {
                let Some(frame) = frames.next().await.map_err(|error| error.to_string())? else {
                    return Ok(Value::Null);
                };
                let id = frame.id.as_deref();
                if !frame.name.is_empty() {
                    return Ok(block(id, Some((&frame.name, frame.data))));
                } else if id.is_some() {
                    return Ok(block(id, None));
                }
            },
            Self::Said(said) => {
                let said = said.pop_front();
                Ok(said
                    .map_or(Value::Null, |frame| block(frame.id.as_deref(), Some((&frame.name, frame.data)))))
            }
            Self::Ws(socket) => loop {
                let id = |id: Option<tidings_protocol::Cursor>| id.map(|id| id.to_string());
                return Ok(match socket.next().await {
                    Ok(Item::Event { id: own, data }) => {
                        let data: Value = serde_json::from_str(&data).unwrap();
                        let name = data["type"].as_str().unwrap().to_owned();
                        block(id(own).as_deref(), Some((&name, data)))
                    }
                    Ok(Item::Control { name, id: own, data }) => {
                        block(id(own).as_deref(), Some((&name, serde_json::from_str(&data).unwrap())))
                    }
                    Ok(Item::Position(own)) => block(id(Some(own)).as_deref(), None),
                    Ok(Item::Life) => continue,
                    Err(Closed::Ended(code)) => json!({"close": code}),
                    Err(other) => return Err(format!("{other:?}")),
                });
            },
        }
    }
}

fn block(id: Option<&str>, more: Option<(&str, Value)>) -> Value {
    let mut block = json!({});
    if let Some(id) = id {
        block["id"] = id.into();
    }
    if let Some((event, data)) = more {
        block["event"] = event.into();
        block["data"] = data;
    }
    block
}
