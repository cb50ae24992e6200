//! A context in which nobody has a subject goes: with its settings by a steward, without any by the agency that opened
//! it. Its ids are not given again.

use super::{begin, named};
use crate::actions::Act;
use crate::audit::RegistryContextDeleted;
use crate::error::Refusal;
use crate::registry::{Context, Prefix, Subject, Wrong, check_steward, check_writer};
use crate::store::{Store, Tx};

pub async fn delete_context(store: &Store, act: &Act<'_>, context: &Context) -> Result<(), Wrong> {
    let whole = context.subject("");
    // Who may delete none at all keeps nobody waiting.
    check_writer(act.caller, "Delete", &whole).or_else(|_| check_steward(act.caller, "Delete", &whole))?;
    if context.is_default() || context.is_global() {
        check_steward(act.caller, "Delete", &whole)?;
        return Err(always_there(context));
    }
    let mut tx = begin(store, context).await?;
    if !is_own(&mut tx, act, &whole).await? {
        check_steward(act.caller, "Delete", &whole)?;
    }
    tx.mode_in_scope(&whole).await?.check_writable(&whole)?;
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

fn always_there(context: &Context) -> Wrong {
    Wrong::NotPermitted(format!(
        "Context {context} is always there; its settings are deleted by DELETE /config and DELETE /mode / \
         语境 {context} 始终存在;其设置用 DELETE /config 和 DELETE /mode 删除"
    ))
}

/// Whether the caller's agency opened it, and no steward has set anything of it since.
async fn is_own(tx: &mut Tx, act: &Act<'_>, whole: &Subject) -> Result<bool, Refusal> {
    let opened = tx.opener(&whole.context).await? == Some(act.caller.agency);
    let set = tx.set_of(whole).await?;
    let writer = check_writer(act.caller, "Delete", whole).is_ok();
    Ok(opened && writer && set.config.is_none() && set.mode.is_none())
}
