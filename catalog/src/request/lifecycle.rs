//! The life of a request: draft, submitted, need_material, agreed, refused, withdrawn (DESIGN.md 4, 9). `submit` is
//! the consent of the consumer's data-office head; what is missing is said once, never as an outright refusal.

use serde::{Deserialize, Serialize};

use super::{Request, RequestState};
use crate::account::{Caller, Role};
use crate::error::{Code, Refusal};
use crate::ids::AgencyId;
use crate::lifecycle::{four_eyes as check_four_eyes, of_another_agency, out_of_place, require_one};
use crate::visible;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Change,
    Submit,
    NeedMaterial,
    Agree,
    Refuse,
    Withdraw,
}

impl Act {
    pub const ALL: [Self; 6] =
        [Self::Change, Self::Submit, Self::NeedMaterial, Self::Agree, Self::Refuse, Self::Withdraw];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Submit => "submit",
            Self::NeedMaterial => "need_material",
            Self::Agree => "agree",
            Self::Refuse => "refuse",
            Self::Withdraw => "withdraw",
        }
    }
}

impl RequestState {
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Submitted, Self::NeedMaterial, Self::Agreed, Self::Refused, Self::Withdrawn];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::NeedMaterial => "need_material",
            Self::Agreed => "agreed",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

const fn next(state: RequestState, act: Act) -> Option<RequestState> {
    use RequestState::{Agreed, Draft, NeedMaterial, Refused, Submitted, Withdrawn};
    match (state, act) {
        (Draft | NeedMaterial, Act::Change) => Some(state),
        (Draft | NeedMaterial, Act::Submit) => Some(Submitted),
        (Submitted, Act::NeedMaterial) => Some(NeedMaterial),
        (Submitted, Act::Agree) => Some(Agreed),
        (Submitted, Act::Refuse) => Some(Refused),
        (Draft | Submitted | NeedMaterial, Act::Withdraw) => Some(Withdrawn),
        _ => None,
    }
}

/// The state after the act.
pub fn apply(state: RequestState, act: Act) -> Result<RequestState, Refusal> {
    next(state, act).ok_or_else(|| {
        let from: Vec<_> =
            RequestState::ALL.iter().filter(|s| next(**s, act).is_some()).map(|s| s.as_str()).collect();
        out_of_place(("申请", "request"), state.as_str(), act.as_str(), &from)
    })
}

/// Whether the caller may write a request of this agency.
pub fn may_draft(caller: &Caller, consumer: AgencyId) -> Result<(), Refusal> {
    if caller.agency != consumer {
        return Err(of_another_agency());
    }
    caller.require(Role::Editor)
}

/// Whether the caller may do this to the request, whatever state it is in.
pub fn may(
    caller: &Caller,
    request: &Request,
    provider: AgencyId,
    act: Act,
    four_eyes: bool,
) -> Result<(), Refusal> {
    visible::request(caller, request, provider)?;
    let side = match act {
        Act::Change | Act::Submit | Act::Withdraw => request.consumer,
        Act::NeedMaterial | Act::Agree | Act::Refuse => provider,
    };
    if caller.agency != side {
        return Err(of_another_agency());
    }
    match act {
        Act::Change => caller.require(Role::Editor),
        Act::Withdraw => require_one(caller, &[Role::Editor, Role::Reviewer]),
        Act::Submit => {
            caller.require(Role::Reviewer)?;
            check_four_eyes(caller, &[Some(request.written_by)], four_eyes)
        }
        Act::Agree => {
            caller.require(Role::Reviewer)?;
            check_four_eyes(caller, &[Some(request.written_by), request.submitted_by], four_eyes)
        }
        Act::Refuse => caller.require(Role::Reviewer),
        Act::NeedMaterial => {
            caller.require(Role::Reviewer)?;
            once_only(request)
        }
    }
}

/// Asking for material answers the request, so a second time shows as an answer that is already there.
fn once_only(request: &Request) -> Result<(), Refusal> {
    if request.answered_at.is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        "补正材料只能一次性告知,请同意或不予同意该申请",
        "what is missing is said once only; agree to the request or refuse it",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{caller, request};

    const ENDS: [RequestState; 3] = [RequestState::Agreed, RequestState::Refused, RequestState::Withdrawn];

    fn provider() -> AgencyId {
        caller(1, 1, &[]).agency
    }

    proptest! {
        #[test]
        fn nothing_is_agreed_that_was_not_submitted(
            acts in prop::collection::vec(prop::sample::select(Act::ALL.to_vec()), 0..40),
        ) {
            let mut state = RequestState::Draft;
            let mut last = None;
            for act in acts {
                let Ok(after) = apply(state, act) else { continue };
                prop_assert!(!ENDS.contains(&state), "an end is an end");
                if matches!(after, RequestState::Agreed | RequestState::Refused) {
                    prop_assert_eq!(last, Some(Act::Submit));
                }
                (state, last) = (after, Some(act));
            }
        }
    }

    #[test]
    fn each_side_does_its_own() {
        let asked = request();
        for act in Act::ALL {
            let (side, role) = match act {
                Act::Change | Act::Withdraw => (2, Role::Editor),
                Act::Submit => (2, Role::Reviewer),
                _ => (1, Role::Reviewer),
            };
            for agency in [1, 2] {
                for held in Role::ALL {
                    let allowed = may(&caller(agency, 99, &[held]), &asked, provider(), act, true).is_ok();
                    let also = act == Act::Withdraw && held == Role::Reviewer;
                    assert_eq!(
                        allowed,
                        agency == side && (held == role || also),
                        "{act:?} {agency} {held:?}"
                    );
                }
            }
            let stranger = caller(3, 99, &Role::ALL[..3]);
            assert_eq!(may(&stranger, &asked, provider(), act, true).unwrap_err().code, Code::NotFound);
        }
        assert!(may_draft(&caller(2, 1, &[Role::Editor]), asked.consumer).is_ok());
        assert!(may_draft(&caller(1, 1, &[Role::Editor]), asked.consumer).is_err());
    }

    #[test]
    fn the_writer_does_not_give_the_consent() {
        let asked = request();
        let writer = caller(2, 21, &[Role::Editor, Role::Reviewer]);
        let refusal = may(&writer, &asked, provider(), Act::Submit, true).unwrap_err();
        assert_eq!(refusal.code, Code::FourEyes);
        assert!(may(&writer, &asked, provider(), Act::Submit, false).is_ok());
        // An agency that asks itself still needs a third account to agree.
        let own = caller(2, 22, &[Role::Reviewer]);
        assert_eq!(may(&own, &asked, own.agency, Act::Agree, true).unwrap_err().code, Code::FourEyes);
    }

    #[test]
    fn material_is_asked_for_once() {
        let mut asked = request();
        let reviewer = caller(1, 12, &[Role::Reviewer]);
        assert!(may(&reviewer, &asked, provider(), Act::NeedMaterial, true).is_ok());
        asked.answered_at = Some("2026-09-24T00:00:00Z".parse().unwrap());
        let refusal = may(&reviewer, &asked, provider(), Act::NeedMaterial, true).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidState);
    }
}
