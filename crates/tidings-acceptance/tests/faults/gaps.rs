//! A run whose subscriber is away for longer than retention keeps what it missed.

use tidings_acceptance::http;
use tidings_acceptance::wait::until;
use tidings_client::subscriber::Since;

use crate::run::Run;

/// Events of a channel that are kept.
pub(crate) const KEPT: usize = 40;
/// Events that come while the subscriber is away.
const MISSED: usize = KEPT + 30;

impl Run<'_> {
    /// Of one channel more is missed than is kept: the gap is told, the rest comes, and the others lose nothing.
    pub(crate) async fn lose_to_retention(&mut self) {
        let channel = format!("run:{}:g", self.seed);
        self.note(format!("lose of {channel}"));
        self.follower.add(&channel, Since::Now);
        self.book.follow(&channel, Since::Now, self.follower.position(), false);
        self.until("the channel that loses", Run::is_caught_up).await;
        self.book.trimmed = Some((channel.clone(), tidings_protocol::Seq::ZERO));
        self.proxy.set_gate(false);
        self.proxy.cut_streams();
        self.publish_followed(1).await;
        let mut first = None;
        for _ in 0..MISSED {
            let id = self.publish(std::slice::from_ref(&channel), "t").await;
            first.get_or_insert(id);
        }
        let first = first.map(|id| id.to_string()).unwrap();
        let (target, path) = (&self.world.target, format!("/v1/history?channel={channel}"));
        let what = format!("seed {}: retention", self.seed);
        until(std::time::Duration::from_secs(30), &what, async || {
            // The server may be away for a moment.
            let answer = http::ask(target, "GET", &path, None).await.ok()?.json();
            let kept = answer["events"].as_array()?;
            (kept.first()?["id"] != first.as_str()).then_some(())
        })
        .await;
        // What was trimmed may be in memory still.
        self.world.count("kills", 1);
        self.world.interrupt(false).await;
        self.proxy.set_gate(true);
        self.until("what is left", Run::is_caught_up).await;
        let lost = self.book.trimmed.as_ref().map(|(_, end)| *end);
        if lost == Some(tidings_protocol::Seq::ZERO) {
            self.fail("no gap was told");
        }
        self.world.count("gaps", 1);
        // What is still trimmed may be told of later.
    }
}
