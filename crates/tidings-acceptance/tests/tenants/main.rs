//! The wall between tenants: two that have the same names for everything, each asking for what is the other's, in every
//! place where a request can name something. Nothing of one reaches the other, nothing of one is changed by the other,
//! and what is the other's looks exactly like what is not there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod live;
mod names;
mod probes;
mod side;
mod wall;
