//! Forebay: the command line.
fn main() {}
