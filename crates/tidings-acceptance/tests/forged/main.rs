//! Credentials that are forged, broken, ended or in the wrong place, sent to every route that takes one: none is
//! accepted, nothing comes of any; and beside them the good ones, which are.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cookies;
mod keys;
mod near;
mod tickets;
mod tokens;
mod world;
