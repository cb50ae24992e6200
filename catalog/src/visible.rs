//! Who sees what: published entries are visible to every account, withheld ones without their items; other entries
//! only to their agency and the authority. What is not seen does not exist (404, never 403).

use crate::account::{Caller, Role};
use crate::error::Refusal;
use crate::grant::Grant;
use crate::ids::AgencyId;
use crate::request::{Request, RequestState};
use crate::resource::{Proposal, Resource, ResourceFile, ResourceState, ShareType};

/// How much of an entry a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Whole,
    /// Without items, key and the reasons that quote them.
    WithoutItems,
    Nothing,
}

#[must_use]
pub fn sight(caller: &Caller, entry: &Resource) -> Sight {
    standing(caller, entry.provider, entry.state, entry.file.share_type)
}

/// The same by what of an entry decides on it.
#[must_use]
pub fn standing(caller: &Caller, provider: AgencyId, state: ResourceState, share_type: ShareType) -> Sight {
    if caller.agency == provider || caller.is(Role::Authority) {
        return Sight::Whole;
    }
    match state {
        ResourceState::Published | ResourceState::Suspended => {
            if share_type == ShareType::Withheld {
                Sight::WithoutItems
            } else {
                Sight::Whole
            }
        }
        _ => Sight::Nothing,
    }
}

/// The entry's file as the caller may see it.
pub fn of_entry(caller: &Caller, entry: &Resource) -> Result<ResourceFile, Refusal> {
    match sight(caller, entry) {
        Sight::Whole => Ok(entry.file.clone()),
        Sight::WithoutItems => Ok(ResourceFile { items: Vec::new(), key: Vec::new(), ..entry.file.clone() }),
        Sight::Nothing => Err(no_entry()),
    }
}

/// Refuses as if the entry did not exist unless the caller sees something of it.
pub fn entry(caller: &Caller, entry: &Resource) -> Result<(), Refusal> {
    if sight(caller, entry) == Sight::Nothing { Err(no_entry()) } else { Ok(()) }
}

/// What may never come into force is its agency's alone.
#[must_use]
pub fn proposal<'a>(caller: &Caller, entry: &'a Resource) -> Option<&'a Proposal> {
    entry.proposal.as_ref().filter(|_| caller.agency == entry.provider)
}

/// A request is its two sides' and the authority's; before it is submitted, only its consumer's.
pub fn request(caller: &Caller, request: &Request, provider: AgencyId) -> Result<(), Refusal> {
    // A draft that was withdrawn was never given to the provider.
    let kept = matches!(request.state, RequestState::Draft | RequestState::Withdrawn);
    let given = request.submitted_at.is_some() || !kept;
    let seen = caller.agency == request.consumer
        || caller.is(Role::Authority)
        || (caller.agency == provider && given);
    if seen { Ok(()) } else { Err(Refusal::not_found("申请", "request")) }
}

/// A grant is its two sides' and the authority's.
pub fn grant(caller: &Caller, grant: &Grant, provider: AgencyId) -> Result<(), Refusal> {
    let seen = caller.agency == grant.consumer || caller.agency == provider || caller.is(Role::Authority);
    if seen { Ok(()) } else { Err(Refusal::not_found("授权", "grant")) }
}

fn no_entry() -> Refusal {
    Refusal::not_found("信息资源", "resource")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::testing::{caller, grant as a_grant, proposal as a_proposal, request as a_request, resource};

    const STATES: [ResourceState; 6] = [
        ResourceState::Draft,
        ResourceState::Submitted,
        ResourceState::Approved,
        ResourceState::Published,
        ResourceState::Suspended,
        ResourceState::Retired,
    ];

    #[test]
    fn entries_are_seen_by_owner_and_authority_always_and_by_others_once_published() {
        let mut entry = resource();
        for state in STATES {
            entry.state = state;
            entry.published_at = None;
            assert_eq!(sight(&caller(1, 1, &[]), &entry), Sight::Whole, "{state:?}");
            assert_eq!(sight(&caller(9, 9, &[Role::Authority]), &entry), Sight::Whole, "{state:?}");
            let expected = match state {
                ResourceState::Published | ResourceState::Suspended => Sight::Whole,
                _ => Sight::Nothing,
            };
            assert_eq!(sight(&caller(2, 2, &[Role::Auditor]), &entry), expected, "{state:?}");
            assert_eq!(super::entry(&caller(2, 2, &[]), &entry).is_ok(), expected == Sight::Whole);
        }
    }

    #[test]
    fn a_withheld_entry_shows_no_items_to_others() {
        let mut entry = resource();
        entry.state = ResourceState::Published;
        entry.file.share_type = ShareType::Withheld;
        let seen = of_entry(&caller(2, 2, &[]), &entry).unwrap();
        assert!(seen.items.is_empty() && seen.key.is_empty());
        assert_eq!(seen.title, entry.file.title);
        assert_eq!(of_entry(&caller(1, 1, &[]), &entry).unwrap(), entry.file);
    }

    #[test]
    fn a_proposal_is_its_agencys_alone() {
        let mut entry = resource();
        let mut file = entry.file.clone();
        file.title = "另一名称".to_owned();
        entry.proposal = Some(a_proposal(file, 11));
        for state in STATES {
            entry.state = state;
            assert!(proposal(&caller(1, 1, &[]), &entry).is_some(), "{state:?}");
            for role in Role::ALL {
                assert_eq!(proposal(&caller(2, 2, &[role]), &entry), None, "{state:?} {role:?}");
            }
        }
        entry.state = ResourceState::Published;
        assert_ne!(of_entry(&caller(1, 1, &[]), &entry).unwrap().title, "另一名称", "it is not the entry's");
    }

    #[test]
    fn what_is_not_seen_is_not_found() {
        let mut entry = resource();
        entry.state = ResourceState::Draft;
        assert_eq!(of_entry(&caller(2, 2, &[]), &entry).unwrap_err().code, Code::NotFound);
        let mut asked = a_request();
        asked.state = RequestState::Draft;
        let provider = entry.provider;
        assert!(request(&caller(2, 2, &[]), &asked, provider).is_ok());
        assert_eq!(request(&caller(1, 1, &[]), &asked, provider).unwrap_err().code, Code::NotFound);
        asked.state = RequestState::Submitted;
        assert!(request(&caller(1, 1, &[]), &asked, provider).is_ok());
        assert_eq!(request(&caller(3, 3, &[]), &asked, provider).unwrap_err().code, Code::NotFound);
        assert!(grant(&caller(1, 1, &[]), &a_grant(), provider).is_ok());
        assert!(grant(&caller(2, 2, &[]), &a_grant(), provider).is_ok());
        assert!(grant(&caller(9, 9, &[Role::Authority]), &a_grant(), provider).is_ok());
        assert_eq!(grant(&caller(3, 3, &[]), &a_grant(), provider).unwrap_err().code, Code::NotFound);
    }
}
