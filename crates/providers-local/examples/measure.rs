//! Measures creating, cloning and waking.

fn main() {}
