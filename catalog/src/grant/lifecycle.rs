//! The life of a grant: active ⇄ suspended, expired, revoked (DESIGN.md 4). Apply acts to `Grant::state_at(now)`: a
//! grant whose time is over is expired whether or not the job has marked it.

use serde::{Deserialize, Serialize};

use super::{Grant, GrantState};
use crate::account::{Caller, Role};
use crate::error::Refusal;
use crate::ids::AgencyId;
use crate::lifecycle::{of_another_agency, out_of_place, require_one};
use crate::visible;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Suspend,
    Resume,
    Revoke,
    /// Its time is over; the server's own act.
    Expire,
}

impl Act {
    pub const ALL: [Self; 4] = [Self::Suspend, Self::Resume, Self::Revoke, Self::Expire];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
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
        (Active, Act::Suspend) => Some(Suspended),
        (Suspended, Act::Resume) => Some(Active),
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

/// Whether the caller may do this to the grant, whatever state it is in.
pub fn may(caller: &Caller, grant: &Grant, provider: AgencyId, act: Act) -> Result<(), Refusal> {
    visible::grant(caller, grant, provider)?;
    match act {
        // The authority suspends anything.
        Act::Suspend | Act::Resume if caller.is(Role::Authority) => Ok(()),
        Act::Suspend | Act::Resume | Act::Revoke if caller.agency == provider => {
            require_one(caller, &[Role::Reviewer])
        }
        _ => Err(of_another_agency()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;
    use crate::testing::{caller, grant};

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
        let held = grant();
        let provider = caller(1, 1, &[]).agency;
        for act in Act::ALL {
            for role in Role::ALL {
                for agency in [1, 2, 9] {
                    let allowed = may(&caller(agency, 99, &[role]), &held, provider, act).is_ok();
                    let pause = matches!(act, Act::Suspend | Act::Resume);
                    let reviewer = agency == 1 && role == Role::Reviewer && act != Act::Expire;
                    assert_eq!(allowed, reviewer || (role == Role::Authority && pause), "{act:?} {role:?}");
                }
            }
        }
        let stranger = may(&caller(3, 1, &[Role::Reviewer]), &held, provider, Act::Revoke).unwrap_err();
        assert_eq!(stranger.code, Code::NotFound);
    }
}
