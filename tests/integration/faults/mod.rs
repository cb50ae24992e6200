//! The table of kills (protocol.md 4), each row with the real process on both engine pairs, batches spread over three
//! partitions: whatever dies when, a batch is visible whole and once, or not at all, and readers are never stuck.

mod broker;
mod checksum;
mod cluster;
mod connectors;
mod copies;
mod cut_log;
mod damage;
mod database;
pub mod deployment;
mod died;
mod failover;
mod full_disk;
mod generation;
mod hanging;
mod holes;
mod kills;
mod metadata;
mod outages;
mod parted;
mod pause;
mod process;
mod proxy;
mod random;
mod registry;
mod restore;
mod secured;
mod set_aside;
mod store_gone;
mod story;
pub mod table;
mod takeover;
