//! One suite for the store, stamped for SQLite and PostgreSQL.

mod audit;
mod base;
