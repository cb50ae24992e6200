//! Our parser beside Java's, and the limits that Java does not have.

mod bombs;
mod forms;
mod java;
mod limits;
