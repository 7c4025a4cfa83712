//! The commands, a file each: their arguments, what they do, and what they show.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod publish;
mod secret;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod tail;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod webhook;
