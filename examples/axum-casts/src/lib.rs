//! Casts in an axum server that tells Tidings what happens to them.
//!
//! Reading order: [`store`] (the program's own database), [`telling`] (what Tidings is told, and when), [`mod@app`] (the
//! HTTP interface).

pub mod app;
pub mod store;
pub mod telling;

pub use app::app;
pub use store::Store;
pub use telling::tell_the_rest;
