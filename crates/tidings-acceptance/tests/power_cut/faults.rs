//! The disk fails.
