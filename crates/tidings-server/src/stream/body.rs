//! A stream of server-sent events as an HTTP/2 body: the session under the library's frames.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame as BodyFrame};
use tidings_core::feed::Frame;
use tokio::time::Sleep;

use super::open::OpenedStream;
use super::sse::{Framing, HeartbeatForm, SseWire};
use crate::app::App;

/// The body of a stream's response.
pub struct EventBody {
    app: Arc<App>,
    stream: OpenedStream,
    wire: SseWire,
    opening: Option<Bytes>,
    timer: Pin<Box<Sleep>>,
    over: bool,
}

impl std::fmt::Debug for EventBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventBody").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl EventBody {
    /// The body of `stream`, which begins with how long a client is to wait before it comes back.
    #[must_use]
    pub fn new(app: Arc<App>, stream: OpenedStream, heartbeat: HeartbeatForm, retry: Duration) -> Self {
        let wire = SseWire { heartbeat, framing: Framing::Bare };
        let timer = Box::pin(tokio::time::sleep(Duration::from_secs(3600)));
        Self { app, stream, wire, opening: Some(wire.opening(retry)), timer, over: false }
    }

    /// Puts what waits into one frame of the body, up to a stream's share of bytes.
    fn gather(&mut self, cx: &mut Context<'_>, now: Duration) -> Vec<u8> {
        let mut gathered = Vec::new();
        while !self.over && gathered.len() < self.app.stream_queue {
            let Poll::Ready(mut frame) = self.stream.feed.poll(cx, now) else { break };
            self.app.say_when(&mut frame);
            self.stream.count(&frame);
            match frame {
                Frame::Over | Frame::Abort(_) => self.over = true,
                frame => gathered.extend_from_slice(&self.wire.bytes(&frame)),
            }
        }
        gathered
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(opening) = this.opening.take() {
            return Poll::Ready(Some(Ok(BodyFrame::data(opening))));
        }
        loop {
            let now = this.app.clocks.now();
            let gathered = this.gather(cx, now);
            if !gathered.is_empty() {
                return Poll::Ready(Some(Ok(BodyFrame::data(gathered.into()))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let Some(deadline) = this.stream.feed.next_deadline() else { return Poll::Pending };
            this.timer.as_mut().reset(this.app.clocks.instant(deadline));
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.stream.feed.tick(this.app.clocks.now().max(deadline));
        }
    }
}
