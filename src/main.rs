//! The `changtong` binary.

fn main() {}
