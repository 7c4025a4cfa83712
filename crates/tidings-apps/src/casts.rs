//! Casts: runs of something long, each with a state that its owner watches.
//!
//! A cast is `queued`, then `running`, then one of `succeeded`, `failed`, `cancelled`, after which nothing follows. What
//! happens to it is told on `cast:{id}` and on its owner's `user:{segment}:casts`; the end is terminal on `cast:{id}`.
//!
//! Reading order: [`status`], [`id`], [`fields`] (what can be set, within which limits), [`cast`] (the record),
//! [`kind`] (the six events and their data), [`command`] (what can be asked), [`wire`] (how it is asked), [`mod@decide`]
//! (what comes of it), [`view`] with [`choice`] (how it looks on the casts' streams), [`snapshot`] (a state as events),
//! [`github`] with [`run`] (what a workflow's run means for a cast).

pub mod cast;
pub mod choice;
pub mod command;
pub mod decide;
mod events;
pub mod fields;
pub mod github;
pub mod http;
pub mod id;
pub mod kind;
pub mod run;
pub mod snapshot;
pub mod status;
pub mod view;
pub mod wire;

pub use cast::Cast;
pub use choice::Choice;
pub use command::Command;
pub use decide::{Decided, decide};
pub use http::{Casts, CastsConfig};
pub use id::CastId;
pub use kind::Kind;
pub use status::Status;
pub use view::CastView;
