//! What a stream says, made into inputs of the machine. Pure.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidings_protocol::Cursor;
use tidings_protocol::sse::{Event as Block, Item};

use super::change::{Answer, Change};
use super::event::{Event, Gap, Update, cursor};
use crate::exchange::Trouble;

/// Something that happens to a subscriber.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// `$ready`: the stream is open and reads on after `id`.
    Ready {
        /// Where it reads on.
        id: Cursor,
        /// What it says of itself.
        ready: Ready,
    },
    /// Something for whoever listens; with the position that it brings, if it brings one.
    News(Update, Option<Cursor>),
    /// The position has moved.
    Position(Cursor),
    /// A sign of life.
    Life,
    /// What came before has only now been taken: until then nothing was read.
    Taken,
    /// `retry:`.
    Named(Duration),
    /// `$expiring`.
    Expiring,
    /// `$end`.
    End(End),
    /// The answer was 204: what was to be followed has ended.
    Gone,
    /// The stream was refused, was not reached, or has broken.
    Failed(Trouble),
    /// The deadline is over.
    Tick,
    /// A fresh credential is there.
    Renewed,
    /// There is none, for this reason.
    NotRenewed(String),
    /// The open stream has taken the fresh credential.
    Presented,
    /// It has not.
    NotPresented(Trouble),
    /// What is followed is to be changed.
    Change(Change),
    /// `$subscribed`: what these channels missed follows, then `$joined`.
    Subscribed {
        /// The channels.
        channels: Vec<String>,
        /// Where they begin.
        from: Cursor,
    },
    /// `$joined`: from here on the channels are part of the stream.
    Joined {
        /// The channels.
        channels: Vec<String>,
        /// The stream's position.
        id: Cursor,
    },
    /// The open stream has taken a change.
    Changed(Answer),
    /// Whether it has is not known, or it has not.
    NotChanged(Trouble),
}

/// `$ready`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Ready {
    pub(crate) session: String,
}

/// `$end`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct End {
    pub(crate) reason: String,
    pub(crate) retry: String,
    /// Milliseconds.
    pub(crate) after: Option<u64>,
    /// Where the stream was: the block's id, which is no member of its data.
    #[serde(skip)]
    pub(crate) id: Option<Cursor>,
}

#[derive(Deserialize)]
struct Subscribed {
    channels: Vec<String>,
    #[serde(deserialize_with = "cursor")]
    from: Cursor,
}

#[derive(Deserialize)]
struct Joined {
    channels: Vec<String>,
}

#[derive(Deserialize)]
struct Lagged {
    key: String,
    skipped: u64,
}

/// What an item of the stream means.
///
/// # Errors
/// A sentence, where it is nothing that a server of Tidings says.
pub(crate) fn read(item: &Item<'_>) -> Result<Input, String> {
    match item {
        Item::Event(block) => read_block(block),
        Item::Position(id) => Ok(position(id)?.map_or(Input::Life, Input::Position)),
        Item::Retry(delay) => Ok(Input::Named(*delay)),
        Item::Comment(_) => Ok(Input::Life),
    }
}

fn read_block(block: &Block<'_>) -> Result<Input, String> {
    let id = position(block.id)?;
    Ok(match block.event {
        "$ready" => {
            let id = id.ok_or("a `$ready` without an id")?;
            Input::Ready { id, ready: data(block)? }
        }
        "$reset" => Input::News(Update::Gap(data::<Gap>(block)?), id),
        "$lagged" => {
            let Lagged { key, skipped } = data(block)?;
            Input::News(Update::Lagged { key, skipped }, id)
        }
        "$subscribed" => {
            let Subscribed { channels, from } = data(block)?;
            Input::Subscribed { channels, from }
        }
        "$joined" => {
            let id = id.ok_or("a `$joined` without an id")?;
            let Joined { channels } = data(block)?;
            Input::Joined { channels, id }
        }
        "$expiring" => Input::Expiring,
        "$end" => Input::End(End { id, ..data(block)? }),
        // `$ping`, and controls that are newer than this client.
        control if control.starts_with('$') => id.map_or(Input::Life, Input::Position),
        _ => Input::News(Update::Event(data::<Event>(block)?), id),
    })
}

fn position(id: &str) -> Result<Option<Cursor>, String> {
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|_| format!("an id that is no cursor: {id:?}"))
}

fn data<T: DeserializeOwned>(block: &Block<'_>) -> Result<T, String> {
    serde_json::from_str(block.data).map_err(|error| format!("`{}` is not understood: {error}", block.event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_protocol::sse::Decoder;

    fn read_all(text: &str) -> Vec<Result<Input, String>> {
        let (mut decoder, mut bytes, mut inputs) = (Decoder::default(), text.as_bytes(), Vec::new());
        while let Some(item) = decoder.decode(&mut bytes).unwrap() {
            inputs.push(read(&item));
        }
        inputs
    }

    fn read_one(text: &str) -> Result<Input, String> {
        let mut inputs = read_all(text);
        assert_eq!(inputs.len(), 1, "{inputs:?}");
        inputs.remove(0)
    }

    const ID: &str = "000000000000A.0000002";

    #[test]
    fn a_stream_is_understood() {
        let text = format!(
            "retry: 700\n\nid: {ID}\nevent: $ready\ndata: {{\"session\":\"s\",\"resumed\":true,\"channels\":[],\"head\":\"{ID}\"}}\n\n\
             :\n\nid: {ID}\n\nid: {ID}\nevent: $ping\ndata: {{}}\n\nevent: $new\ndata: {{}}\n\n\
             event: $expiring\ndata: {{\"at\":\"x\"}}\n\nid: {ID}\nevent: $end\ndata: {{\"reason\":\"lifetime\",\"retry\":\"now\"}}\n\n"
        );
        let inputs: Vec<Input> = read_all(&text).into_iter().map(Result::unwrap).collect();
        let id: Cursor = ID.parse().unwrap();
        assert!(matches!(&inputs[0], Input::Named(delay) if delay.as_millis() == 700));
        assert!(
            matches!(&inputs[1], Input::Ready { id: found, ready } if *found == id && ready.session == "s")
        );
        assert!(matches!(&inputs[2], Input::Life));
        assert!(inputs[3..6].iter().all(|input| matches!(input, Input::Position(found) if *found == id)));
        assert!(matches!(&inputs[6], Input::Expiring));
        assert!(matches!(&inputs[7], Input::End(End { after: None, id: Some(found), .. }) if *found == id));
    }

    #[test]
    fn news_come_with_their_position() {
        let event = format!(r#"{{"id":"{ID}","channel":"a","type":"t","time":"x","data":1}}"#);
        let read = read_one(&format!("id: {ID}\nevent: t\ndata: {event}\n\n"));
        assert!(matches!(read, Ok(Input::News(Update::Event(_), Some(_)))));
        let read = read_one(
            "event: $reset\ndata: {\"reason\":\"expired\",\"channels\":[\"a\"],\"through\":null}\n\n",
        );
        assert!(matches!(read, Ok(Input::News(Update::Gap(_), None))));
        let read = read_one("event: $lagged\ndata: {\"key\":\"k\",\"skipped\":2}\n\n");
        assert!(matches!(read, Ok(Input::News(Update::Lagged { skipped: 2, .. }, None))));
    }

    #[test]
    fn channels_that_are_added_are_named() {
        let read =
            read_one(&format!("event: $subscribed\ndata: {{\"channels\":[\"a\"],\"from\":\"{ID}\"}}\n\n"));
        assert!(matches!(read, Ok(Input::Subscribed { channels, .. }) if channels == ["a"]));
        let read = read_one(&format!("id: {ID}\nevent: $joined\ndata: {{\"channels\":[\"a\"]}}\n\n"));
        assert!(matches!(read, Ok(Input::Joined { channels, .. }) if channels == ["a"]));
        assert!(read_one("event: $joined\ndata: {\"channels\":[\"a\"]}\n\n").is_err());
    }

    #[test]
    fn what_no_server_says_is_named() {
        for bad in
            ["id: 7\n\n", "event: $ready\ndata: {}\n\n", "event: t\ndata: {}\n\n", "event: $end\ndata: 1\n\n"]
        {
            assert!(read_one(bad).is_err(), "{bad:?}");
        }
    }
}
