//! Our rules beside Java's, and what the house asks beyond them.

mod bombs;
mod house;
mod java;
mod levels;
mod rules;
