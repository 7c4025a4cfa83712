//! The Rust client of Tidings: a publisher that tries again without publishing twice, and a subscriber that goes on
//! exactly where it was.
//!
//! Owns: requests to one server over kept connections, when they are tried again, the queue of events that nobody
//! waits for, the helpers for casts, following a stream over lost connections, changing its channels as it runs, and
//! reading a record again where its events cannot be given. Leaves out: what the words on the wire mean
//! (`tidings-protocol`), and what an application makes of events.
//!
//! | to | there is |
//! | --- | --- |
//! | publish, and know that it is on disk | [`Publisher::publish`], [`Publisher::publish_all`] |
//! | publish without waiting | [`Publisher::enqueue`], [`Publisher::flush`] |
//! | tell of casts | [`casts`] |
//! | follow channels | [`Subscriber`] |
//! | follow a record or a list: it first, then its events | [`Followed`] |
//!
//! ```no_run
//! use tidings_client::{Draft, Publisher, Subscriber, publisher, subscriber};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = Publisher::new(publisher::Options::default())?;
//! publisher.publish(Draft::new("doc:7", "saved", &7)?).await?;
//!
//! let mut subscriber = Subscriber::open(subscriber::Options::of(["doc:*"]))?;
//! while let Some(update) = subscriber.next().await {
//!     println!("{:?}", update?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where nothing else is said, the server is that of `TIDINGS_URL`, else `http://127.0.0.1:8080`, and the credential the API
//! key in `TIDINGS_API_KEY`. Everything runs on Tokio. Reading order: [`server`] (where), [`credential`] (who), [`exchange`] (how it is asked),
//! [`refusal`], [`backoff`], then [`publisher`], [`casts`] and [`subscriber`].

#![warn(missing_docs)]

pub mod backoff;
pub mod casts;
mod connector;
pub mod credential;
pub mod exchange;
pub mod publisher;
pub mod refusal;
mod retry_after;
pub mod server;
pub mod subscriber;
mod trust;

pub use backoff::Backoff;
pub use casts::{Cast, CastStatus};
pub use credential::Credential;
pub use exchange::Trouble;
pub use publisher::{Draft, PublishError, Publisher, Receipt};
pub use refusal::Refusal;
pub use server::InvalidOptions;
pub use subscriber::{Channels, Event, Followed, Gap, Stopped, Subscriber, Told, Update};
pub use tidings_protocol::Cursor;
