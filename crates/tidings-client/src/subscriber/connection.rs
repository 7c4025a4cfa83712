//! One request for a stream, and the stream that answers it.

use std::io;

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidings_protocol::sse::Decoder;

use super::input::{Input, read};
use crate::credential::Shown;
use crate::exchange::{Http, Trouble};

/// A request that is under way, or an open stream.
pub(crate) enum Connection {
    Asked(BoxFuture<'static, Result<Option<Incoming>, Trouble>>),
    Open { body: Incoming, decoder: Box<Decoder>, bytes: Bytes },
}

impl Connection {
    /// Asks for the stream.
    pub(crate) fn open(http: Http, path: String, shown: Shown) -> Self {
        Self::Asked(Box::pin(async move { http.stream(&path, &shown).await }))
    }

    /// What comes next. May be dropped and called again; after [`Input::Failed`] and [`Input::Gone`] nothing comes.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            match self {
                Self::Asked(answer) => match answer.await {
                    Ok(Some(body)) => {
                        *self = Self::Open { body, decoder: Box::default(), bytes: Bytes::new() };
                    }
                    Ok(None) => return Input::Gone,
                    Err(trouble) => return Input::Failed(trouble),
                },
                Self::Open { body, decoder, bytes } => {
                    if let Some(input) = decode(decoder, bytes) {
                        return input;
                    }
                    match read_more(body).await {
                        Ok(more) => *bytes = more,
                        Err(error) => {
                            return Input::Failed(Trouble::Broken(format!("the stream broke: {error}")));
                        }
                    }
                }
            }
        }
    }
}

/// The next input that the bytes hold, if they hold one.
fn decode(decoder: &mut Decoder, bytes: &mut Bytes) -> Option<Input> {
    let mut rest: &[u8] = bytes;
    let input = match decoder.decode(&mut rest) {
        Ok(Some(item)) => Some(read(&item)),
        Ok(None) => None,
        Err(error) => Some(Err(error.to_string())),
    };
    let used = bytes.len() - rest.len();
    bytes.advance(used);
    input.map(|input| input.unwrap_or_else(|why| Input::Failed(Trouble::Broken(why))))
}

async fn read_more(body: &mut Incoming) -> io::Result<Bytes> {
    loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(data);
                }
            }
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::Error::other("it was closed without `$end`")),
        }
    }
}
