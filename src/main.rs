//! The `forecourt` binary.
fn main() {}
