//! One suite for the store, stamped for SQLite and PostgreSQL.

mod audit;
mod base;
mod fixture;
mod ledger;
mod lists;
mod races;
mod tables;
