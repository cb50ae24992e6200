//! The life of a grant: active ⇄ suspended, expired, revoked (DESIGN.md 4). Apply acts to `Grant::state_at(now)`: a
//! grant whose time is over is expired whether or not the job has marked it.

use serde::{Deserialize, Serialize};

use super::{Cause, Grant, GrantState};
use crate::account::{Caller, Role};
use crate::clock::Time;
use crate::error::Refusal;
use crate::lifecycle::{
    Suspender, may_resume, of_another_agency, out_of_place, require_one, stays_suspended,
};
use crate::resource::Resource;
use crate::visible;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Suspend,
    Resume,
    Revoke,
    /// Its consumer takes the derived schema of another version.
    MoveSchema,
    /// Its time is over; the server's own act.
    Expire,
}

impl Act {
    pub const ALL: [Self; 5] = [Self::Suspend, Self::Resume, Self::Revoke, Self::MoveSchema, Self::Expire];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
            Self::MoveSchema => "move_schema",
            Self::Expire => "expire",
        }
    }
}

impl GrantState {
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Expired, Self::Revoked];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

const fn next(state: GrantState, act: Act) -> Option<GrantState> {
    use GrantState::{Active, Expired, Revoked, Suspended};
    match (state, act) {
        (Active | Suspended, Act::Suspend) => Some(Suspended),
        (Suspended, Act::Resume) | (Active, Act::MoveSchema) => Some(Active),
        (Active | Suspended, Act::Revoke) => Some(Revoked),
        (Active | Suspended, Act::Expire) => Some(Expired),
        _ => None,
    }
}

/// The state after the act.
pub fn apply(state: GrantState, act: Act) -> Result<GrantState, Refusal> {
    next(state, act).ok_or_else(|| {
        let from: Vec<_> =
            GrantState::ALL.iter().filter(|s| next(**s, act).is_some()).map(|s| s.as_str()).collect();
        out_of_place(("授权", "grant"), state.as_str(), act.as_str(), &from)
    })
}

/// Whether the act was done before for this cause, so that asked again it changes nothing and has the same answer.
#[must_use]
pub fn is_done(caller: &Caller, grant: &Grant, act: Act, cause: Option<Cause>, now: Time) -> bool {
    match (grant.state_at(now), act) {
        // Nothing takes the place of the authority's suspension, its cause included.
        (GrantState::Suspended, Act::Suspend) => {
            let by_authority = grant.suspended_by == Some(Suspender::Authority);
            let theirs = by_authority && Suspender::of(caller) == Suspender::Provider;
            stays_suspended(caller, grant.suspended_by) && (theirs || cause == grant.cause)
        }
        (GrantState::Revoked, Act::Revoke) => cause == grant.cause,
        _ => false,
    }
}

/// Whether the caller may do this to a grant on the entry, whatever state it is in.
pub fn may(caller: &Caller, grant: &Grant, entry: &Resource, act: Act) -> Result<(), Refusal> {
    visible::grant(caller, grant, entry.provider)?;
    let authority = caller.is(Role::Authority);
    match act {
        // The authority suspends anything.
        Act::Suspend | Act::Resume if authority => Ok(()),
        // Nobody of a suspended provider is let in, and a grant of it may have to end meanwhile.
        Act::Revoke if authority && entry.provider_suspended => Ok(()),
        Act::Suspend | Act::Resume | Act::Revoke if caller.agency == entry.provider => {
            if act == Act::Resume {
                may_resume(caller, grant.suspended_by)?;
            }
            require_one(caller, &[Role::Reviewer])
        }
        Act::MoveSchema if caller.agency == grant.consumer => {
            require_one(caller, &[Role::Integrator, Role::Reviewer])
        }
        _ => Err(of_another_agency()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;
    use crate::testing::{caller, grant, resource};

    proptest! {
        #[test]
        fn what_has_ended_never_comes_back(
            acts in prop::collection::vec(prop::sample::select(Act::ALL.to_vec()), 0..40),
        ) {
            let mut state = GrantState::Active;
            for act in acts {
                let after = apply(state, act);
                if matches!(state, GrantState::Expired | GrantState::Revoked) {
                    prop_assert_eq!(after.as_ref().unwrap_err().code, Code::InvalidState);
                }
                state = after.unwrap_or(state);
            }
        }
    }

    #[test]
    fn time_ends_a_grant_that_no_job_has_marked() {
        let mut ended = grant();
        let until = ended.valid_until.unwrap();
        for state in [GrantState::Active, GrantState::Suspended] {
            ended.state = state;
            assert_eq!(ended.state_at(until - chrono::Duration::microseconds(1)), state);
            assert_eq!(ended.state_at(until), GrantState::Expired);
            assert!(apply(ended.state_at(until), Act::Resume).is_err());
        }
    }

    #[test]
    fn the_provider_ends_it_and_the_authority_suspends() {
        let (held, entry) = (grant(), resource());
        for act in Act::ALL {
            for role in Role::ALL {
                for agency in [1, 2, 9] {
                    let allowed = may(&caller(agency, 99, &[role]), &held, &entry, act).is_ok();
                    let pause = matches!(act, Act::Suspend | Act::Resume);
                    let expected = match act {
                        Act::Expire => false,
                        Act::MoveSchema => agency == 2 && matches!(role, Role::Integrator | Role::Reviewer),
                        _ => agency == 1 && role == Role::Reviewer || role == Role::Authority && pause,
                    };
                    assert_eq!(allowed, expected, "{act:?} {role:?} {agency}");
                }
            }
        }
        let stranger = may(&caller(3, 1, &[Role::Reviewer]), &held, &entry, Act::Revoke).unwrap_err();
        assert_eq!(stranger.code, Code::NotFound);
    }

    #[test]
    fn while_the_provider_is_shut_out_the_authority_ends_its_grants() {
        let (held, mut entry) = (grant(), resource());
        let authority = caller(9, 9, &[Role::Authority]);
        assert_eq!(may(&authority, &held, &entry, Act::Revoke).unwrap_err().code, Code::Forbidden);
        entry.provider_suspended = true;
        for act in [Act::Suspend, Act::Resume, Act::Revoke] {
            may(&authority, &held, &entry, act).unwrap();
        }
        let consumer = caller(2, 2, &[Role::Reviewer]);
        assert_eq!(may(&consumer, &held, &entry, Act::Revoke).unwrap_err().code, Code::Forbidden);
    }

    #[test]
    fn what_the_authority_suspended_only_the_authority_resumes() {
        let (mut held, entry) = (grant(), resource());
        let (reviewer, authority) = (caller(1, 9, &[Role::Reviewer]), caller(9, 9, &[Role::Authority]));
        held.state = GrantState::Suspended;
        held.suspended_by = Some(Suspender::Authority);
        let refused = may(&reviewer, &held, &entry, Act::Resume).unwrap_err();
        assert_eq!(refused.code, Code::SuspendedByAuthority);
        may(&authority, &held, &entry, Act::Resume).unwrap();
        held.suspended_by = Some(Suspender::Provider);
        may(&reviewer, &held, &entry, Act::Resume).unwrap();
    }

    #[test]
    fn asked_again_it_is_done_already() {
        let mut held = grant();
        let (reviewer, authority) = (caller(1, 9, &[Role::Reviewer]), caller(9, 9, &[Role::Authority]));
        let (cause, now) = (Some(Cause::Misuse), held.created_at);
        let done = |held: &Grant, who, act, cause| is_done(who, held, act, cause, now);
        assert!(!done(&held, &reviewer, Act::Suspend, cause) && !done(&held, &reviewer, Act::Revoke, cause));
        (held.state, held.cause) = (GrantState::Revoked, cause);
        assert!(done(&held, &reviewer, Act::Revoke, cause) && !done(&held, &reviewer, Act::Suspend, cause));
        assert!(!done(&held, &reviewer, Act::Revoke, Some(Cause::Security)), "another cause is another wish");
        (held.state, held.suspended_by) = (GrantState::Suspended, Some(Suspender::Provider));
        assert!(done(&held, &reviewer, Act::Suspend, cause));
        assert!(!done(&held, &authority, Act::Suspend, cause), "it takes the provider's place");
        held.suspended_by = Some(Suspender::Authority);
        assert!(done(&held, &authority, Act::Suspend, cause) && done(&held, &reviewer, Act::Suspend, cause));
        assert!(
            done(&held, &reviewer, Act::Suspend, Some(Cause::Security)),
            "not even another cause takes its place"
        );
    }
}
