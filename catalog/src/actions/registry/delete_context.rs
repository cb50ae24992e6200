//! A context that holds nothing goes, with its settings.

use super::{begin, named};
use crate::actions::Act;
use crate::audit::RegistryContextDeleted;
use crate::registry::{Context, Prefix, Wrong, check_steward};
use crate::store::Store;

pub async fn delete_context(store: &Store, act: &Act<'_>, context: &Context) -> Result<(), Wrong> {
    let whole = context.subject("");
    check_steward(act.caller, "Delete", &whole)?;
    if context.is_default() || context.is_global() {
        return Err(Wrong::NotPermitted(format!(
            "Context {context} is always there; its settings are deleted by DELETE /config and DELETE /mode / \
             语境 {context} 始终存在;其设置用 DELETE /config 和 DELETE /mode 删除"
        )));
    }
    let mut tx = begin(store, context).await?;
    let prefix = Prefix { context: Some(context.clone()), name: String::new() };
    if !tx.subject_rows(&prefix).await?.is_empty() {
        return Err(Wrong::ContextNotEmpty(context.prefix()));
    }
    if tx.remove_context(context).await? {
        let event = RegistryContextDeleted { subject: named(&whole) };
        act.finish(tx, 200, &whole, vec![event.into()]).await?;
    }
    Ok(())
}
