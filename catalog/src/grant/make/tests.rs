//! Agreeing adds and never loosens; days begin and end in the deployment's zone.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::testing::{request, resource};

fn zone() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

fn now() -> Time {
    // Already the next day in the zone.
    "2026-09-30T20:00:00.123456Z".parse().unwrap()
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn masks(pairs: &[(&str, Mask)]) -> BTreeMap<String, Mask> {
    pairs.iter().map(|(name, mask)| ((*name).to_owned(), *mask)).collect()
}

#[track_caller]
fn refused(request: &Request, resource: &Resource, agreement: &Agreement, path: &str) {
    let refusal = make(request, resource, agreement, zone(), now()).unwrap_err();
    assert_eq!(refusal.extra["path"], path);
}

#[test]
fn a_grant_has_what_was_asked_in_the_resources_order() {
    let mut asked = request();
    asked.file.items = ["time_hour", "dep_delay", "origin"].map(str::to_owned).to_vec();
    asked.file.filter = Some("dep_delay > 15".to_owned());
    asked.file.limits.records_per_day = Some(1000);
    let terms = make(&asked, &resource(), &Agreement::default(), zone(), now()).unwrap();
    assert_eq!(terms.items, ["origin", "dep_delay", "time_hour"]);
    assert_eq!(terms.consumer_filter.as_deref(), Some("dep_delay > 15"));
    assert_eq!((terms.floor, terms.valid_until, terms.delete_lines), (None, None, true));
    let text = terms.schema(GrantNumber(34), &resource()).unwrap();
    assert!(text.contains("ct.g34") && text.contains("dep_delay") && !text.contains("tailnum"));
    let given = Given {
        id: GrantId(Uuid::from_u128(4)),
        number: GrantNumber(34),
        schema: SchemaId(9),
        schema_version: 1,
        handle_key: "h1".to_owned(),
        pseudonym_key: "p1".to_owned(),
    };
    let grant = terms.clone().grant(given);
    assert_eq!((grant.state, grant.version, grant.created_at), (GrantState::Active, 1, now()));
    assert_eq!(grant.limits, asked.file.limits);
    assert_eq!(grant.consumer, asked.consumer);
    let digest = terms_digest(&grant).unwrap();
    let narrower = Grant { delete_lines: false, ..grant };
    assert_ne!(terms_digest(&narrower).unwrap(), digest);
}

#[test]
fn history_and_end_are_days_of_the_zone() {
    let mut asked = request();
    asked.file.history = History::None;
    asked.file.valid_until = Some("2026-12-31".parse().unwrap());
    let terms = make(&asked, &resource(), &Agreement::default(), zone(), now()).unwrap();
    assert_eq!(terms.floor, Some(now()));
    assert_eq!(terms.valid_until, Some(time("2026-12-31T16:00:00Z")), "the last day counts whole");
    asked.file.history = History::Since("2026-09-01".parse().unwrap());
    let agreement = Agreement { until: Some("2026-10-01".parse().unwrap()), ..Agreement::default() };
    let terms = make(&asked, &resource(), &agreement, zone(), now()).unwrap();
    assert_eq!(terms.floor, Some(time("2026-08-31T16:00:00Z")));
    assert_eq!(terms.valid_until, Some(time("2026-10-01T16:00:00Z")));
    let later = Agreement { until: Some("2027-01-01".parse().unwrap()), ..Agreement::default() };
    refused(&asked, &resource(), &later, "until");
    let past = Agreement { until: Some("2026-09-30".parse().unwrap()), ..Agreement::default() };
    refused(&asked, &resource(), &past, "until");
}

#[test]
fn the_resources_masks_always_apply_and_only_grow() {
    let mut entry = resource();
    entry.file.items[0].mask = Some(Mask::First);
    let plain = make(&request(), &entry, &Agreement::default(), zone(), now()).unwrap();
    assert_eq!(plain.masks, masks(&[("origin", Mask::First)]));
    let added = Agreement {
        masks: masks(&[("origin", Mask::Blank), ("dep_delay", Mask::Blank)]),
        ..Agreement::default()
    };
    let terms = make(&request(), &entry, &added, zone(), now()).unwrap();
    assert_eq!(terms.masks, added.masks);
    let looser = Agreement { masks: masks(&[("origin", Mask::Name)]), ..Agreement::default() };
    refused(&request(), &entry, &looser, "masks.origin");
    let unfit = Agreement { masks: masks(&[("dep_delay", Mask::Hmac)]), ..Agreement::default() };
    refused(&request(), &entry, &unfit, "masks.dep_delay");
    let unasked = Agreement { masks: masks(&[("tailnum", Mask::Blank)]), ..Agreement::default() };
    refused(&request(), &entry, &unasked, "masks.tailnum");
}

#[test]
fn filters_are_checked_and_the_consumers_names_nothing_masked() {
    let by = |filter: &str| Agreement { filter: Some(filter.to_owned()), ..Agreement::default() };
    let terms = make(&request(), &resource(), &by("tailnum != null"), zone(), now()).unwrap();
    assert_eq!(terms.provider_filter.as_deref(), Some("tailnum != null"), "the provider may name any item");
    refused(&request(), &resource(), &by("nothing == 1"), "filter");
    let mut asked = request();
    asked.file.filter = Some("dep_delay > 15".to_owned());
    let masked = Agreement { masks: masks(&[("dep_delay", Mask::Blank)]), ..Agreement::default() };
    refused(&asked, &resource(), &masked, "masks.dep_delay");
}

proptest! {
    #[test]
    fn agreeing_never_loosens(
        least in prop::collection::vec(prop::option::of(prop::sample::select(Mask::ALL.to_vec())), 5),
        added in prop::collection::vec(prop::option::of(prop::sample::select(Mask::ALL.to_vec())), 5),
        asked in prop::collection::vec(any::<bool>(), 5),
        until in prop::option::of(0u64..400),
        agreed_until in prop::option::of(0u64..400),
        no_delete_lines in any::<bool>(),
    ) {
        let day = |days: u64| NaiveDate::default() + chrono::Days::new(21_000 + days);
        let mut entry = resource();
        for (item, mask) in entry.file.items.iter_mut().zip(least) {
            item.mask = mask.filter(|mask| mask.fits(item.avro()));
        }
        let mut file = request();
        let names: Vec<_> = entry.file.items.iter().map(|item| item.name.clone()).collect();
        file.file.items = names.iter().zip(asked).filter(|(_, asked)| *asked).map(|(n, _)| n.clone()).collect();
        file.file.valid_until = until.map(day);
        let agreement = Agreement {
            masks: names.iter().cloned().zip(added).filter_map(|(name, mask)| Some((name, mask?))).collect(),
            until: agreed_until.map(day),
            no_delete_lines,
            filter: None,
        };
        let Ok(terms) = make(&file, &entry, &agreement, zone(), now()) else { return Ok(()) };
        prop_assert_eq!(terms.items.len(), file.file.items.len());
        prop_assert!(terms.masks.keys().all(|name| terms.items.contains(name)));
        for item in entry.file.items.iter().filter(|item| terms.items.contains(&item.name)) {
            if let Some(least) = item.mask {
                prop_assert!(!terms.masks[&item.name].looser_than(least));
            }
        }
        if let Some(until) = file.file.valid_until {
            prop_assert!(terms.valid_until.unwrap() <= start_of(until.succ_opt().unwrap(), zone()));
        }
        prop_assert_eq!(terms.delete_lines, !no_delete_lines);
    }
}
