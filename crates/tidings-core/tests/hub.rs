//! The seam between replay and live under real threads, several nodes over one log, and what many readers ask of it.

#[path = "hub/node.rs"]
mod node;
#[path = "hub/nodes.rs"]
mod nodes;
#[path = "hub/opening.rs"]
mod opening;
#[path = "hub/reader.rs"]
mod reader;
#[path = "hub/reads.rs"]
mod reads;
#[path = "hub/threads.rs"]
mod threads;
