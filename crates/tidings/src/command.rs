//! The commands, a file each: their arguments, what they do, and what they show.

pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod tail;
pub(crate) mod tenant;
