//! Guids of schemas that were there before guids were: no SQL of both engines makes an MD5.

use sqlx::{query, query_as};

use crate::error::Refusal;
use crate::ids::SchemaId;
use crate::registry::Content;
use crate::store::Tx;
use crate::store::dispatch::{on, one, rows};

impl Tx {
    /// After the migrations; finds nothing to do from the second start on.
    pub(in crate::store) async fn fill_guids(&mut self) -> Result<(), Refusal> {
        const WITHOUT: &str = "SELECT id, text FROM schema_text WHERE guid IS NULL ORDER BY id";
        const FILL: &str = "UPDATE schema_text SET guid = $2 WHERE id = $1";
        let without: Vec<(SchemaId, String)> = on!(self, |conn| query_as(WITHOUT).fetch_all(conn))?;
        for (id, text) in without {
            let guid = Content::of_text(text).guid();
            one(rows!(self, |conn| query(FILL).bind(id).bind(guid).execute(conn))?)?;
        }
        Ok(())
    }
}
