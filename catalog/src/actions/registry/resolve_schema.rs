//! What a kept schema says once it is read with all it refers to: its text with everything written out
//! (`format=resolved`), its tags.

use std::sync::Arc;

use crate::account::Caller;
use crate::actions::think::think;
use crate::avro::{Rules, Schema};
use crate::registry::{Content, Context, Tagged, Wrong, parse, tagged};
use crate::store::Store;

pub async fn resolve_schema(
    store: &Store,
    caller: &Caller,
    context: &Context,
    content: &Arc<Content>,
) -> Result<String, Wrong> {
    read(store, caller, context, content, |schema| schema.resolved()).await
}

/// Records and fields that have one of these tags.
pub async fn schema_tags(
    store: &Store,
    caller: &Caller,
    context: &Context,
    content: &Arc<Content>,
    wanted: Vec<String>,
) -> Result<Vec<Tagged>, Wrong> {
    read(store, caller, context, content, move |schema| tagged(schema, &wanted)).await
}

async fn read<T: Send + 'static>(
    store: &Store,
    caller: &Caller,
    context: &Context,
    content: &Arc<Content>,
    says: impl FnOnce(&Schema) -> T + Send + 'static,
) -> Result<T, Wrong> {
    let texts = store.read().await?.resolve(context, &content.beside.references, true).await?.texts;
    let content = content.clone();
    let read = think(caller, move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        parse(&content.text, &texts, Rules::STORED).map(|schema| says(&schema))
    });
    read.await?
}
