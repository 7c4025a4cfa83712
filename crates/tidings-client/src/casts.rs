//! Casts: telling a server what happens to those that another backend keeps in a database of its own.
//!
//! Owns: the record ([`Cast`]), and a function on [`Publisher`](crate::Publisher) for each thing there is to tell.
//! Leaves out: following them: their events come on the channel `cast:{id}`, through
//! [`Subscriber`](crate::Subscriber).
//!
//! Each call has an idempotency key of its own, so that its attempts are one event. The first mention of a cast creates it.
//! A step that its state does not allow is [`PublishError::Refused`](crate::PublishError::Refused) with the code
//! `illegal_transition` and the record in `current`.
//!
//! ```no_run
//! # async fn example(publisher: tidings_client::Publisher) -> Result<(), tidings_client::PublishError> {
//! use std::time::{Duration, SystemTime};
//!
//! publisher.publish_cast_started("c7", "shop|42", SystemTime::now()).await?;
//! publisher.publish_cast_progress("c7", "shop|42", 50.0, Some("half way")).await?;
//! let took = Duration::from_secs(31);
//! let cast = publisher.publish_cast_completed("c7", "shop|42", SystemTime::now(), took, 250, None).await?;
//! assert!(cast.status.is_end());
//! # Ok(())
//! # }
//! ```

mod record;
mod telling;
mod time;

pub use self::record::{Cast, CastStatus};
pub use self::telling::CastState;
pub use self::time::Time;
