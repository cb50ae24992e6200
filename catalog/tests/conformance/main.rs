//! One suite for the store, stamped for SQLite and PostgreSQL.

mod actions;
mod audit;
mod base;
mod fixture;
mod ledger;
mod lists;
mod races;
mod tables;
