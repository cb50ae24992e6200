//! One suite for the store, stamped for SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

mod actions;
mod audit;
mod base;
mod decide;
mod epoch;
mod fixture;
mod ledger;
mod lists;
mod lost_commit;
mod places;
mod races;
mod registry;
mod remembered;
mod tables;
