//! `changtong migrate`: `serve` does the same at its start; this is for those who want it done apart.

use changtong_catalog::store::Store;

use super::{Configured, block_on};
use crate::app::store_config;

pub fn run(configured: &Configured) -> Result<(), String> {
    let settings = configured.load(false).map_err(|error| error.to_string())?.settings;
    block_on(async {
        let config = store_config(&settings).map_err(|error| error.to_string())?;
        let store = Store::open(&config).await.map_err(|refusal| refusal.to_string())?;
        println!("the tables of the {} store are up to date", store.engine());
        store.close().await;
        Ok(())
    })
}
