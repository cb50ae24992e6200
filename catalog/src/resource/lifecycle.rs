//! The life of an entry: draft → submitted → approved → published ⇄ suspended, retired (DESIGN.md 4, 9). What is
//! published has been written, submitted and approved; a revision keeps the state it finds, and waits beside the entry
//! (`proposal`) until another account puts it in force.

use serde::{Deserialize, Serialize};

use super::{Resource, ResourceState};
use crate::account::{Caller, Role};
use crate::error::Refusal;
use crate::ids::AgencyId;
use crate::lifecycle::{Suspender, may_resume, stays_suspended};
use crate::lifecycle::{four_eyes as check_four_eyes, of_another_agency, out_of_place, require_one};
use crate::visible;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A new file in the place of a draft's; of what is published, one that is proposed.
    Change,
    Submit,
    Approve,
    /// Back to its writer; of what is published, the proposal is dropped.
    Reject,
    Publish,
    Suspend,
    Resume,
    /// New metadata or items of what is published come into force.
    Revise,
    Retire,
    /// Its log begins anew with what is still there.
    NewGeneration,
}

impl Act {
    pub const ALL: [Self; 10] = [
        Self::Change,
        Self::Submit,
        Self::Approve,
        Self::Reject,
        Self::Publish,
        Self::Suspend,
        Self::Resume,
        Self::Revise,
        Self::Retire,
        Self::NewGeneration,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Submit => "submit",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Publish => "publish",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revise => "revise",
            Self::Retire => "retire",
            Self::NewGeneration => "new_generation",
        }
    }
}

impl ResourceState {
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Submitted, Self::Approved, Self::Published, Self::Suspended, Self::Retired];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Published => "published",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }
}

const fn next(state: ResourceState, act: Act) -> Option<ResourceState> {
    use ResourceState::{Approved, Draft, Published, Retired, Submitted, Suspended};
    match (state, act) {
        (Draft, Act::Change) | (Submitted | Approved, Act::Reject) => Some(Draft),
        (Draft, Act::Submit) => Some(Submitted),
        (Submitted, Act::Approve) => Some(Approved),
        (Approved, Act::Publish) | (Suspended, Act::Resume) => Some(Published),
        (Published | Suspended, Act::Suspend) => Some(Suspended),
        (Published | Suspended, Act::Change | Act::Reject | Act::Revise | Act::NewGeneration) => Some(state),
        (Published | Suspended, Act::Retire) => Some(Retired),
        _ => None,
    }
}

/// The state after the act.
pub fn apply(state: ResourceState, act: Act) -> Result<ResourceState, Refusal> {
    next(state, act).ok_or_else(|| {
        let from: Vec<_> =
            ResourceState::ALL.iter().filter(|s| next(**s, act).is_some()).map(|s| s.as_str()).collect();
        out_of_place(("信息资源", "resource"), state.as_str(), act.as_str(), &from)
    })
}

/// Whether the act was done before, so that asked again it changes nothing and has the same answer.
#[must_use]
pub fn is_done(caller: &Caller, entry: &Resource, act: Act) -> bool {
    match (entry.state, act) {
        (ResourceState::Suspended, Act::Suspend) => stays_suspended(caller, entry.suspended_by),
        (ResourceState::Retired, Act::Retire) => true,
        _ => false,
    }
}

/// Who holds the entry suspended after the act.
#[must_use]
pub fn suspender(caller: &Caller, entry: &Resource, act: Act) -> Option<Suspender> {
    match act {
        Act::Suspend => Some(Suspender::of(caller)),
        Act::Resume | Act::Retire => None,
        _ => entry.suspended_by,
    }
}

/// Whether the caller may write an entry of this agency.
pub fn may_draft(caller: &Caller, provider: AgencyId) -> Result<(), Refusal> {
    if caller.agency != provider {
        return Err(of_another_agency());
    }
    caller.require(Role::Editor)
}

/// Whether the caller may ask what a proposed schema breaks, and for whom: those who would write or decide it.
pub fn may_check(caller: &Caller, entry: &Resource) -> Result<(), Refusal> {
    visible::entry(caller, entry)?;
    if caller.agency != entry.provider {
        return Err(of_another_agency());
    }
    require_one(caller, &[Role::Editor, Role::Reviewer])
}

/// Whether the caller may do this to the entry, whatever state it is in.
pub fn may(caller: &Caller, entry: &Resource, act: Act, four_eyes: bool) -> Result<(), Refusal> {
    visible::entry(caller, entry)?;
    let own = caller.agency == entry.provider;
    if act == Act::Resume && own {
        may_resume(caller, entry.suspended_by)?;
    }
    match act {
        // The authority suspends anything.
        Act::Suspend | Act::Resume if caller.is(Role::Authority) => return Ok(()),
        _ if !own => return Err(of_another_agency()),
        Act::Change | Act::Submit => return require_one(caller, &[Role::Editor]),
        _ => require_one(caller, &[Role::Reviewer])?,
    }
    match act {
        Act::Approve | Act::Publish => {
            check_four_eyes(caller, &[Some(entry.written_by), entry.submitted_by], four_eyes)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;
    use crate::testing::{caller, resource};

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        prop::collection::vec(prop::sample::select(Act::ALL.to_vec()), 0..40)
    }

    proptest! {
        #[test]
        fn nothing_is_published_that_was_not_submitted_and_approved(acts in acts()) {
            let mut state = ResourceState::Draft;
            // Since it was last a draft.
            let (mut submitted, mut approved) = (false, false);
            for act in acts {
                let Ok(after) = apply(state, act) else { continue };
                prop_assert_ne!(state, ResourceState::Retired, "retired is the end");
                submitted = after != ResourceState::Draft && (submitted || act == Act::Submit);
                approved = after != ResourceState::Draft && (approved || act == Act::Approve);
                if matches!(after, ResourceState::Published | ResourceState::Suspended | ResourceState::Retired) {
                    prop_assert!(submitted && approved);
                }
                state = after;
            }
        }

        #[test]
        fn a_published_entry_is_never_a_draft_again(acts in acts()) {
            let mut state = ResourceState::Published;
            for act in acts {
                state = apply(state, act).unwrap_or(state);
                prop_assert!(matches!(
                    state,
                    ResourceState::Published | ResourceState::Suspended | ResourceState::Retired
                ));
            }
        }
    }

    #[test]
    fn a_refused_act_says_what_it_needs() {
        let refusal = apply(ResourceState::Draft, Act::Publish).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidState);
        assert_eq!(refusal.extra["needs"], serde_json::json!(["approved"]));
        assert_eq!(refusal.extra["state"], "draft");
    }

    #[test]
    fn every_act_has_a_place() {
        for act in Act::ALL {
            assert!(ResourceState::ALL.iter().any(|state| apply(*state, act).is_ok()), "{act:?}");
        }
    }

    #[test]
    fn each_role_does_its_own_and_no_more() {
        let entry = resource();
        for act in Act::ALL {
            let needed = match act {
                Act::Change | Act::Submit => Role::Editor,
                _ => Role::Reviewer,
            };
            for role in Role::ALL {
                let allowed = may(&caller(1, 99, &[role]), &entry, act, true);
                let authority = role == Role::Authority && matches!(act, Act::Suspend | Act::Resume);
                assert_eq!(allowed.is_ok(), role == needed || authority, "{act:?} {role:?}");
                let foreign = may(&caller(2, 99, &[role]), &entry, act, true);
                assert_eq!(foreign.is_ok(), authority, "{act:?} {role:?}");
                if let Err(refusal) = foreign {
                    assert_eq!(refusal.code, Code::Forbidden, "published, so it is known");
                }
            }
        }
        assert!(may_draft(&caller(1, 1, &[Role::Editor]), entry.provider).is_ok());
        assert!(may_draft(&caller(1, 1, &[Role::Reviewer]), entry.provider).is_err());
        assert!(may_draft(&caller(2, 1, &[Role::Editor]), entry.provider).is_err());
    }

    #[test]
    fn only_who_writes_or_decides_learns_for_whom_a_change_breaks() {
        let entry = resource();
        for role in Role::ALL {
            let own = may_check(&caller(1, 99, &[role]), &entry);
            assert_eq!(own.is_ok(), matches!(role, Role::Editor | Role::Reviewer), "{role:?}");
            let foreign = may_check(&caller(2, 99, &[role]), &entry).unwrap_err();
            assert_eq!(foreign.code, Code::Forbidden, "{role:?}");
        }
        let draft = Resource { state: ResourceState::Draft, ..entry };
        let hidden = may_check(&caller(2, 99, &[Role::Editor]), &draft).unwrap_err();
        assert_eq!(hidden.code, Code::NotFound);
    }

    #[test]
    fn who_wrote_or_submitted_it_does_not_put_it_in_force() {
        let mut entry = resource();
        entry.submitted_by = Some(caller(1, 12, &[]).account);
        for account in [11, 12] {
            let one = caller(1, account, &[Role::Editor, Role::Reviewer]);
            for act in [Act::Approve, Act::Publish] {
                assert_eq!(may(&one, &entry, act, true).unwrap_err().code, Code::FourEyes);
                assert!(may(&one, &entry, act, false).is_ok(), "the setting lets one account do both");
            }
        }
    }

    #[test]
    fn a_draft_of_another_agency_does_not_exist() {
        let mut entry = resource();
        entry.state = ResourceState::Draft;
        for act in Act::ALL {
            let refusal = may(&caller(2, 9, &[Role::Editor, Role::Reviewer]), &entry, act, true).unwrap_err();
            assert_eq!(refusal.code, Code::NotFound);
        }
    }
}
