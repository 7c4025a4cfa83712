//! The apps: what Tidings knows of casts, and how it tells of it.
//!
//! Owns: for each app its state machine, its wire forms, its view and its routes, in one folder. Leaves out: storage,
//! streams and credentials, which are the core's and the server's. All but the routes is pure; time and random text are
//! arguments.
//!
//! Reading order: [`author`] (who changes something), [`members`] and [`object`] (how JSON is read and written),
//! [`if_match`], [`user_channel`], then an app: [`casts`].

#![warn(missing_docs)]

pub mod author;
pub mod casts;
pub mod if_match;
pub mod members;
pub mod object;
pub mod user_channel;
