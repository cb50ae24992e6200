//! What the lifecycles of entries, requests and grants share: the refusals of an act out of place, and four eyes.

use serde::{Deserialize, Serialize};

use crate::account::{Caller, Role};
use crate::error::{Code, Refusal};
use crate::ids::AccountId;

/// Who suspended an entry or a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspender {
    Provider,
    Authority,
}

impl Suspender {
    /// As whom the caller suspends.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        if caller.is(Role::Authority) { Self::Authority } else { Self::Provider }
    }
}

/// Whether a suspended thing stays as it is when the caller suspends it: the authority's suspension takes the place of
/// the provider's, and nothing takes the place of the authority's.
pub(crate) fn stays_suspended(caller: &Caller, by: Option<Suspender>) -> bool {
    by == Some(Suspender::Authority) || Suspender::of(caller) == Suspender::Provider
}

/// What the authority stopped only the authority lets go on.
pub(crate) fn may_resume(caller: &Caller, by: Option<Suspender>) -> Result<(), Refusal> {
    if by != Some(Suspender::Authority) || caller.is(Role::Authority) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::SuspendedByAuthority,
        "由主管部门暂停,只能由主管部门恢复;请联系主管部门",
        "the authority suspended it and only the authority lets it go on; ask the authority",
    ))
}

/// The thing's state does not allow the act; `from` are the states that would.
pub(crate) fn out_of_place(what: (&str, &str), state: &str, act: &str, from: &[&str]) -> Refusal {
    let needed = if from.is_empty() { "-".to_owned() } else { from.join(", ") };
    Refusal::new(
        Code::InvalidState,
        format!("{}处于 {state} 状态,不能 {act};可以的状态:{needed}", what.0),
        format!("the {} is {state}; {act} needs it to be: {needed}", what.1),
    )
    .with("state", state)
    .with("act", act)
    .with("needs", from.to_vec())
}

/// Refuses the account that wrote or asked what it would now put in force, unless one account may do both.
pub(crate) fn four_eyes(
    caller: &Caller,
    wrote: &[Option<AccountId>],
    four_eyes: bool,
) -> Result<(), Refusal> {
    if !four_eyes || !wrote.contains(&Some(caller.account)) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::FourEyes,
        "编写或提交的账号不能自己审核、发布或同意,请由本机构另一账号办理",
        "the account that wrote or submitted it cannot put it in force; another account of the agency must",
    ))
}

/// One of these roles is enough.
pub(crate) fn require_one(caller: &Caller, roles: &[Role]) -> Result<(), Refusal> {
    if roles.iter().any(|role| caller.is(*role)) {
        return Ok(());
    }
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    Err(Refusal::new(
        Code::Forbidden,
        format!("需要以下角色之一:{}", names.join("、")),
        format!("this needs one of the roles {}", names.join(", ")),
    )
    .with("role", names))
}

/// It belongs to another agency, which the caller may know but not act for.
pub(crate) fn of_another_agency() -> Refusal {
    Refusal::new(
        Code::Forbidden,
        "只有所属机构可以办理,请联系该机构",
        "only the agency it belongs to may do this; ask that agency",
    )
}
