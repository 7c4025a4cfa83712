//! Deliveries of GitHub's webhook: what is not signed as it must be is refused, what is signed and says nothing new
//! changes nothing, and what it says changes exactly what it is about. Payloads are GitHub's own, with single members set.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crowd;
mod effects;
mod hub;
mod order;
mod secrets;
mod titles;
mod unread;
mod unsigned;
