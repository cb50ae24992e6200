//! Every way a decision can go, and that what it says of itself is true.

use proptest::prelude::*;

use super::*;
use crate::grant::Cause;
use crate::request::Purpose;
use crate::testing::{caller, grant, resource};

fn now() -> Time {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn provider() -> Caller {
    caller(1, 13, &[Role::Integrator])
}

fn consumer() -> Caller {
    caller(2, 23, &[Role::Integrator])
}

fn delivered(grant: &Grant, resource: &Resource, purpose: Option<&str>) -> Decision {
    deliver(&consumer(), grant, resource, purpose, now())
}

#[test]
fn the_owner_publishes_and_the_consumer_reads() {
    let published = publish(&provider(), &resource());
    assert!(published.allowed());
    assert_eq!((published.label(), published.policy), ("allowed", POLICY));
    let delivered = delivered(&grant(), &resource(), None);
    assert!(delivered.allowed());
    assert_eq!(delivered.purpose.unwrap().as_str(), "delay-weather");
    assert!(steward(&provider(), &resource()).allowed());
}

#[test]
fn only_the_providers_reviewer_is_shown_a_sample() {
    for role in Role::ALL {
        let decision = preview(&caller(1, 13, &[role]), &resource());
        assert_eq!(decision.allowed(), role == Role::Reviewer, "{}", role.as_str());
        assert!(
            !preview(&caller(2, 23, &[role]), &resource()).allowed(),
            "of the consumer: {}",
            role.as_str()
        );
    }
    let suspended = Resource { state: ResourceState::Suspended, ..resource() };
    let refused = preview(&caller(1, 13, &[Role::Reviewer]), &suspended);
    assert_eq!(refused.code(), Some(Code::ResourceSuspended));
}

#[test]
fn others_are_told_only_what_they_may_know() {
    let mut entry = resource();
    assert_eq!(publish(&consumer(), &entry).code(), Some(Code::Forbidden), "published, so it is known");
    assert_eq!(steward(&consumer(), &entry).code(), Some(Code::Forbidden));
    entry.state = ResourceState::Draft;
    let hidden = publish(&consumer(), &entry);
    assert_eq!(hidden.code(), Some(Code::NotFound));
    assert!(hidden.check().unwrap_err().extra.is_empty(), "no reasons that would tell of it");
    let entry = resource();
    let stranger = caller(3, 33, &[Role::Integrator]);
    assert_eq!(deliver(&stranger, &grant(), &entry, None, now()).code(), Some(Code::NotFound));
    assert_eq!(deliver(&provider(), &grant(), &entry, None, now()).code(), Some(Code::Forbidden));
    assert_eq!(subscribe(&stranger, &grant(), entry.provider).code(), Some(Code::NotFound));
    assert!(subscribe(&consumer(), &grant(), entry.provider).allowed());
}

#[test]
fn only_integrators_move_records() {
    for role in Role::ALL {
        let allowed = role == Role::Integrator;
        assert_eq!(publish(&caller(1, 13, &[role]), &resource()).allowed(), allowed);
        assert_eq!(steward(&caller(1, 13, &[role]), &resource()).allowed(), allowed);
        assert_eq!(deliver(&caller(2, 23, &[role]), &grant(), &resource(), None, now()).allowed(), allowed);
        assert_eq!(subscribe(&caller(2, 23, &[role]), &grant(), resource().provider).allowed(), allowed);
    }
}

#[test]
fn the_state_of_the_resource_has_its_code() {
    let codes = [
        (ResourceState::Draft, Code::ResourceNotPublished),
        (ResourceState::Submitted, Code::ResourceNotPublished),
        (ResourceState::Approved, Code::ResourceNotPublished),
        (ResourceState::Suspended, Code::ResourceSuspended),
        (ResourceState::Retired, Code::ResourceRetired),
    ];
    let mut entry = resource();
    for (state, code) in codes {
        entry.state = state;
        assert_eq!(publish(&provider(), &entry).code(), Some(code));
        assert_eq!(delivered(&grant(), &entry, None).code(), Some(code));
        assert!(steward(&provider(), &entry).allowed(), "it was published once");
    }
    entry.published_at = None;
    assert_eq!(steward(&provider(), &entry).code(), Some(Code::ResourceNotPublished));
    let mut rolled_back = resource();
    rolled_back.log_rolled_back = true;
    assert_eq!(publish(&provider(), &rolled_back).code(), Some(Code::LogRolledBack));
    assert_eq!(delivered(&grant(), &rolled_back, None).code(), Some(Code::LogRolledBack));
    assert_eq!(steward(&provider(), &rolled_back).code(), Some(Code::LogRolledBack));
    let mut withheld = resource();
    withheld.file.share_type = ShareType::Withheld;
    assert!(publish(&provider(), &withheld).allowed());
    withheld.file.items.clear();
    assert_eq!(publish(&provider(), &withheld).code(), Some(Code::ResourceWithheld));
}

#[test]
fn nothing_moves_while_the_provider_is_shut_out() {
    let mut entry = resource();
    entry.provider_suspended = true;
    let refusal = delivered(&grant(), &entry, None).check().unwrap_err();
    assert_eq!(refusal.code, Code::ProviderSuspended);
    assert_eq!(refusal.extra["reasons"][5], json!({"factor": "provider", "holds": false}));
    assert_eq!(publish(&provider(), &entry).code(), Some(Code::ProviderSuspended));
    assert!(subscribe(&consumer(), &grant(), entry.provider).allowed(), "what was received is acknowledged");
}

#[test]
fn the_state_of_the_grant_has_its_code() {
    let mut held = grant();
    held.cause = Some(Cause::Misuse);
    let codes = [
        (GrantState::Suspended, Code::GrantSuspended),
        (GrantState::Expired, Code::GrantExpired),
        (GrantState::Revoked, Code::GrantRevoked),
    ];
    for (state, code) in codes {
        held.state = state;
        let decision = delivered(&held, &resource(), None);
        assert_eq!(decision.label(), code.as_str());
        let refusal = decision.check().unwrap_err();
        assert_eq!(refusal.extra["cause"], "misuse");
        assert_eq!(refusal.extra["policy"], POLICY);
        assert_eq!(refusal.extra["reasons"][3], json!({"factor": "grant", "holds": false}));
    }
    // Its time is over, whether or not a job has marked it.
    let mut over = grant();
    over.valid_until = Some(now());
    let refusal = delivered(&over, &resource(), None).check().unwrap_err();
    assert_eq!(refusal.code, Code::GrantExpired);
    assert_eq!(refusal.extra["valid_until"], "2027-01-01T00:00:00.000000Z");
}

#[test]
fn the_purpose_is_one_of_the_grants() {
    let mut held = grant();
    assert_eq!(delivered(&held, &resource(), Some("other")).code(), Some(Code::PurposeNotGranted));
    assert!(delivered(&held, &resource(), Some("delay-weather")).allowed());
    held.purposes.push(Purpose { code: "rescue".to_owned(), text: "救援".to_owned() });
    let refusal = delivered(&held, &resource(), None).check().unwrap_err();
    assert_eq!(refusal.code, Code::PurposeRequired);
    assert_eq!(refusal.extra["purposes"], json!(["delay-weather", "rescue"]));
    assert_eq!(delivered(&held, &resource(), Some("rescue")).purpose.unwrap().as_str(), "rescue");
}

proptest! {
    #[test]
    fn records_leave_only_if_everything_stands(
        agency in 1u128..4,
        roles in prop::sample::subsequence(Role::ALL.to_vec(), 0..=6),
        grant_state in prop::sample::select(GrantState::ALL.to_vec()),
        resource_state in prop::sample::select(ResourceState::ALL.to_vec()),
        hours in -2i64..3,
        rolled_back in any::<bool>(),
        purpose in prop::sample::select(vec![None, Some("delay-weather"), Some("other")]),
    ) {
        let mut held = grant();
        held.state = grant_state;
        held.valid_until = Some(now() + chrono::Duration::hours(hours));
        let mut entry = resource();
        entry.state = resource_state;
        entry.log_rolled_back = rolled_back;
        let by = caller(agency, 99, &roles);
        let decision = deliver(&by, &held, &entry, purpose, now());
        let stands = agency == 2
            && roles.contains(&Role::Integrator)
            && grant_state == GrantState::Active
            && hours > 0
            && resource_state == ResourceState::Published
            && !rolled_back
            && purpose != Some("other");
        prop_assert_eq!(decision.allowed(), stands);
        prop_assert_eq!(decision.purpose.is_some(), stands);
        // What it looked at: all but the last stood, and the last stood if it is allowed.
        let (last, before) = decision.reasons.split_last().unwrap();
        prop_assert!(before.iter().all(|reason| reason.holds));
        prop_assert_eq!(last.holds, stands);
        prop_assert_eq!(decision.code().is_none(), stands);
    }
}
