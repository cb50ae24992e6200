//! `changtong migrate`: `serve` does the same at its start; this is for those who want it done apart.

use changtong_catalog::store::Store;

use super::failure::Done;
use super::{Configured, block_on};
use crate::app::store_config;

pub fn run(configured: &Configured) -> Done {
    let settings = configured.load(false)?.settings;
    block_on(async {
        let store = Store::open(&store_config(&settings)?).await?;
        println!("the tables of the {} store are up to date", store.engine());
        store.close().await;
        Ok(())
    })
}
