//! What a change of items breaks, and for whom.

mod names;

use super::*;
use crate::error::Text;
use crate::grant::Grant;
use crate::ids::SchemaId;
use crate::mask::Mask;
use crate::ports::SchemaText;
use crate::resource::ItemType;
use crate::testing::{file, grant, item};

const NUMBER: ResourceNumber = ResourceNumber(12);

fn version(number: i32, items: &[Item]) -> SchemaVersion {
    let text = schema::value_schema(NUMBER, items).unwrap();
    let schema = SchemaText { id: SchemaId(number), text, fingerprint: String::new() };
    SchemaVersion { version: number, schema, items: items.to_vec() }
}

fn judged(versions: &[SchemaVersion], items: &[Item]) -> Verdict {
    Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions, items }
        .judge(&mut Work::default())
        .unwrap()
}

/// What breaks when the sample's items are changed so: place, rule, reason.
fn breaks(change: impl FnOnce(&mut Vec<Item>)) -> Vec<(String, Rule, String)> {
    let before = file().items;
    let mut after = before.clone();
    change(&mut after);
    let found = judged(&[version(1, &before)], &after).breaks;
    found.into_iter().map(|found| (found.path, found.rule, found.reason)).collect()
}

fn one(path: &str, rule: Rule, reason: &str) -> (String, Rule, String) {
    (path.to_owned(), rule, reason.to_owned())
}

fn nullable(name: &str, kind: ItemType) -> Item {
    Item { nullable: true, ..item(name, kind) }
}

#[test]
fn what_old_and_new_readers_can_both_live_with_breaks_nothing() {
    assert_eq!(breaks(|items| items.push(nullable("gate", ItemType::C))), []);
    assert_eq!(breaks(|items| drop(items.remove(3))), [], "dep_delay may be empty");
    assert_eq!(breaks(|items| items.swap(0, 1)), []);
    assert_eq!(breaks(|items| items[0].title = "起飞机场".to_owned()), []);
    assert_eq!(breaks(|items| items[0].grade = 3), []);
    assert_eq!(breaks(|items| items[2].mask = Some(Mask::Blank)), []);
    assert_eq!(breaks(|items| items[3].unit = Some("min".to_owned())), [], "it was not said before");
}

#[test]
fn each_break_has_its_rule_and_reason() {
    use Rule::{Backward, Forward, Meaning, Protection};
    let missing = "reader_field_missing_default_value";
    assert_eq!(breaks(|items| items.push(item("gate", ItemType::C))), [one("gate", Backward, missing)]);
    assert_eq!(breaks(|items| drop(items.remove(0))), [one("origin", Forward, missing)]);
    let to_text = breaks(|items| items[1].kind = ItemType::C);
    assert_eq!(to_text, [one("flight", Backward, "type_mismatch"), one("flight", Forward, "type_mismatch")]);
    let widened = breaks(|items| items[1].length = Some(9));
    assert_eq!(widened, [one("flight", Backward, "type_mismatch")], "an int reads no long");
    let date = breaks(|items| items[3] = nullable("dep_delay", ItemType::D));
    assert!(date.contains(&one("dep_delay", Meaning, "date")), "{date:?}");
    assert_eq!(breaks(|items| items[0].values = vec!["JFK".into()]), [one("origin", Meaning, "code_list")]);
    let before =
        [Item { unit: Some("元".to_owned()), grade: 3, mask: Some(Mask::First), ..item("c", ItemType::C) }];
    let found = |after: Item| {
        let found = judged(&[version(1, &before)], &[after]).breaks;
        found.into_iter().map(|found| (found.path, found.rule, found.reason)).collect::<Vec<_>>()
    };
    assert_eq!(
        found(Item { unit: Some("万元".to_owned()), ..before[0].clone() }),
        [one("c", Meaning, "unit")]
    );
    assert_eq!(found(Item { grade: 2, ..before[0].clone() }), [one("c", Protection, "grade_loosened")]);
    assert_eq!(found(Item { mask: None, ..before[0].clone() }), [one("c", Protection, "mask_removed")]);
    let other = Item { mask: Some(Mask::Name), ..before[0].clone() };
    assert_eq!(found(other), [one("c", Protection, "mask_loosened")]);
    assert_eq!(found(Item { mask: Some(Mask::Blank), ..before[0].clone() }), []);
    let decimal =
        |precision, scale| Item { precision: Some(precision), scale: Some(scale), ..item("n", ItemType::N) };
    let found = judged(&[version(1, &[decimal(12, 2)])], &[decimal(14, 4)]).breaks;
    let reasons: Vec<_> = found.iter().map(|found| found.reason.as_str()).collect();
    assert_eq!(reasons, ["decimal_precision", "decimal_scale"]);
}

#[test]
fn every_version_of_the_generation_counts() {
    let first = vec![item("id", ItemType::I), nullable("x", ItemType::C)];
    let second = vec![item("id", ItemType::I)];
    let third = vec![item("id", ItemType::I), nullable("x", ItemType::L)];
    let versions = [version(1, &first), version(2, &second)];
    assert_eq!(judged(&versions[1..], &third).breaks, []);
    let found = judged(&versions, &third).breaks;
    assert!(
        found.iter().all(|found| found.version == 1 && found.item() == "x") && found.len() == 2,
        "{found:?}"
    );
}

#[test]
fn text_does_not_become_bytes_though_avro_reads_one_as_the_other() {
    let told = |from, to| {
        let versions = [version(1, &[nullable("x", from)]), version(2, &[nullable("y", ItemType::C)])];
        let found = judged(&versions, &[nullable("y", ItemType::C), nullable("x", to)]).breaks;
        found.into_iter().map(|found| (found.version, found.path, found.reason)).collect::<Vec<_>>()
    };
    let broken = [(1, "x".to_owned(), "type_changed".to_owned())];
    assert_eq!(told(ItemType::C, ItemType::G), broken);
    assert_eq!(told(ItemType::G, ItemType::M), broken);
    assert_eq!(told(ItemType::C, ItemType::M), [], "both are strings");
}

#[test]
fn what_comes_again_is_held_to_what_it_was() {
    let x = Item { grade: 3, mask: Some(Mask::First), ..nullable("x", ItemType::C) };
    let id = item("id", ItemType::I);
    let versions = [version(1, &[id.clone(), x.clone()]), version(2, std::slice::from_ref(&id))];
    let told = |again: Item| {
        let found = judged(&versions, &[id.clone(), again]).breaks;
        found.into_iter().map(|found| (found.version, found.path, found.reason)).collect::<Vec<_>>()
    };
    let one = |reason: &str| vec![(1, "x".to_owned(), reason.to_owned())];
    assert_eq!(told(x.clone()), []);
    assert_eq!(told(Item { grade: 4, mask: Some(Mask::Blank), ..x.clone() }), [], "stricter");
    assert_eq!(told(Item { title: "其他".to_owned(), ..x.clone() }), one("name_reused"));
    assert_eq!(told(Item { grade: 1, ..x.clone() }), one("grade_loosened"));
    assert_eq!(told(Item { mask: None, ..x.clone() }), one("mask_removed"));
    assert_eq!(told(Item { mask: Some(Mask::Name), ..x }), one("mask_loosened"));
}

#[test]
fn a_mask_that_a_grant_would_not_get_waits_for_the_grant() {
    let mut held = grant();
    let masked = |mask| move |items: &mut Vec<Item>| items[0].mask = Some(mask);
    let reasons = |held: &Grant, mask| {
        let found = of(held, masked(mask)).1.own;
        found.into_iter().map(|found| (found.path, found.reason)).collect::<Vec<_>>()
    };
    let broken = [("origin".to_owned(), "mask_not_held".to_owned())];
    assert_eq!(reasons(&held, Mask::Blank), broken);
    held.masks.insert("origin".to_owned(), Mask::First);
    assert_eq!(reasons(&held, Mask::Hmac), broken);
    held.masks.insert("origin".to_owned(), Mask::Blank);
    assert_eq!(reasons(&held, Mask::Hmac), []);
    assert!(!of(&held, |items| items[2].mask = Some(Mask::Blank)).1.breaks(), "tailnum is not granted");
}

#[test]
fn a_change_that_the_schema_does_not_show_makes_no_new_one() {
    let before = file().items;
    let mut after = before.clone();
    after[0].length = Some(3);
    after[2].mask = Some(Mask::Blank);
    let verdict = judged(&[version(1, &before)], &after);
    assert!(!verdict.new_schema);
    let changes: Vec<_> =
        verdict.changes.iter().map(|change| (change.item.as_str(), &change.members)).collect();
    assert_eq!(changes, [("origin", &vec!["length"]), ("tailnum", &vec!["mask"])]);
}

#[test]
fn changes_are_told_item_by_item() {
    let before = file().items;
    let mut after = before.clone();
    after.swap(0, 1);
    after.remove(2);
    after[2].title = "起飞延误".to_owned();
    after.push(nullable("gate", ItemType::C));
    let verdict = judged(&[version(1, &before)], &after);
    let told: Vec<_> = verdict.changes.iter().map(|change| (change.item.as_str(), change.fate)).collect();
    assert_eq!(told, [("dep_delay", Fate::Changed), ("gate", Fate::Added), ("tailnum", Fate::Removed)]);
    assert!(verdict.reordered && verdict.new_schema);
    let same = judged(&[version(1, &before)], &before);
    assert!(!same.reordered && !same.new_schema && same.changes.is_empty());
}

fn of(grant: &Grant, change: impl FnOnce(&mut Vec<Item>)) -> (Verdict, Concerned) {
    let before = file().items;
    let mut after = before.clone();
    change(&mut after);
    let versions = [version(1, &before)];
    let proposal =
        Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions: &versions, items: &after };
    let mut work = Work::default();
    let verdict = proposal.judge(&mut work).unwrap();
    let concerned = concerned(&proposal, &verdict, grant, &mut work).unwrap();
    (verdict, concerned)
}

#[test]
fn a_grant_is_concerned_by_what_it_delivers_or_filters_by() {
    // It holds origin, flight, dep_delay and time_hour.
    let mut held = grant();
    let (verdict, found) = of(&held, |items| items[3].kind = ItemType::C);
    assert_eq!((found.uses.as_slice(), found.derived_changes), (&["dep_delay".to_owned()][..], true));
    assert_eq!(found.shared.len(), verdict.breaks.len());
    assert!(found.breaks());
    let other = |items: &mut Vec<Item>| items[2].kind = ItemType::L;
    let (verdict, found) = of(&held, other);
    assert!(!verdict.breaks.is_empty() && !found.breaks(), "tailnum is not granted");
    assert!(found.uses.is_empty() && !found.derived_changes);
    held.provider_filter = Some("tailnum == \"N640VA\"".to_owned());
    let (_, found) = of(&held, other);
    assert_eq!(found.uses, ["tailnum"]);
    let reasons: Vec<_> =
        found.own.iter().map(|found| (found.path.as_str(), found.reason.as_str())).collect();
    assert_eq!(reasons, [("provider_filter", "filter_invalid")]);
}

#[test]
fn a_compatible_change_that_breaks_a_grants_terms_is_refused_and_names_it() {
    let mut held = grant();
    held.consumer_filter = Some("dep_delay > 15".to_owned());
    let (verdict, found) = of(&held, |items| drop(items.remove(3)));
    assert_eq!(verdict.breaks, [], "as a schema it breaks nothing");
    assert_eq!(found.own[0].path, "consumer_filter");
    let refusal = check(Level::OF_RESOURCES, &verdict, std::slice::from_ref(&found)).unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["path"]), (Code::SchemaIncompatible, &"consumer_filter".into()));
    assert_eq!(refusal.extra["differences"][0]["grant"], held.id.to_string());
    assert!(refusal.text.zh.contains("授权 34") && refusal.text.en.contains("grant 34"), "{refusal}");
    held.consumer_filter = None;
    held.masks.insert("flight".to_owned(), Mask::Blank);
    let (verdict, found) = of(&held, |items| drop(items.remove(3)));
    check(Level::OF_RESOURCES, &verdict, &[found]).unwrap();
}

#[test]
fn a_refusal_names_every_difference_and_the_way_to_ask() {
    let (verdict, _) = of(&grant(), |items| {
        items[1].kind = ItemType::C;
        items.push(item("gate", ItemType::C));
    });
    let refusal = check(Level::OF_RESOURCES, &verdict, &[]).unwrap_err();
    assert_eq!((refusal.code, refusal.code.status()), (Code::SchemaIncompatible, 409));
    assert_eq!((&refusal.extra["total"], &refusal.extra["level"]), (&3.into(), &"FULL_TRANSITIVE".into()));
    assert_eq!(refusal.extra["differences"].as_array().unwrap().len(), 3);
    for text in [&refusal.text.zh, &refusal.text.en] {
        assert!(text.contains("changtong schema check"), "{text}");
    }
}

#[test]
fn a_newer_derived_schema_differs_by_what_it_says_of_granted_items() {
    let mut held = grant();
    let before = file().items;
    let mut after = before.clone();
    after[0].title = "起飞机场".to_owned();
    after[0].length = Some(3);
    after[1].length = Some(18);
    after[2].title = "机尾号".to_owned();
    after.remove(3);
    let told = |held: &Grant| {
        let changes = derived_changes(held, &before, &after);
        changes.into_iter().map(|change| (change.item, change.fate, change.members)).collect::<Vec<_>>()
    };
    let title = ("origin".to_owned(), Fate::Changed, vec!["title"]);
    assert_eq!(told(&held), [title.clone(), ("dep_delay".to_owned(), Fate::Removed, Vec::new())]);
    held.items.retain(|name| name != "dep_delay");
    assert_eq!(told(&held), [title]);
    assert_eq!(derived_changes(&held, &before, &before), []);
}

#[test]
fn a_generation_takes_no_more_versions_than_a_subject_may_have() {
    let items = file().items;
    let named = |n: usize| {
        let mut items = items.clone();
        items[0].title = format!("第 {n} 次");
        items
    };
    let numbers = 1..=i32::try_from(MOST_VERSIONS).unwrap();
    let mut versions: Vec<_> = numbers.map(|number| version(number, &items)).collect();
    let judge = |versions: &[SchemaVersion], items: &[Item]| {
        Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions, items }.judge(&mut Work::default())
    };
    let refused = judge(&versions, &named(1)).unwrap_err();
    assert_eq!((refused.code, &refused.extra["versions"]), (Code::InvalidState, &MOST_VERSIONS.into()));
    let mut longer = items.clone();
    longer[0].length = Some(7);
    assert!(!judge(&versions, &longer).unwrap().new_schema, "what the schema does not show is taken");
    versions.pop();
    assert!(judge(&versions, &named(1)).unwrap().new_schema);
}

/// A generation of so many versions, each with an item of its own beside the others.
fn generation(many: i32, others: &[Item]) -> Vec<SchemaVersion> {
    let own = |number: i32| [others, &[nullable(&format!("own{number}"), ItemType::C)]].concat();
    (1..=many).map(|number| version(number, &own(number))).collect()
}

#[test]
fn what_there_is_no_work_left_for_counts_as_broken() {
    let others = [item("id", ItemType::I)];
    let versions = generation(3, &others);
    let proposal =
        Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions: &versions, items: &others };
    let mut work = Work::default();
    let all = work.left();
    let verdict = proposal.judge(&mut work).unwrap();
    assert_eq!(verdict.breaks, []);
    let cost = all - work.left();
    assert!(cost > 4 * 500, "each text counts, and what is looked at in it: {cost}");
    for (looks, ends_at) in [(0, 3), (cost / 2, 2), (cost - 1, 1)] {
        let verdict = proposal.judge(&mut Work::of(looks)).unwrap();
        let told: Vec<_> =
            verdict.breaks.iter().map(|found| (found.version, found.reason.as_str())).collect();
        assert_eq!(told.last(), Some(&(ends_at, "too_complex")), "{looks} of {cost}");
        let refusal = check(Level::OF_RESOURCES, &verdict, &[]).unwrap_err();
        assert_eq!(refusal.code, Code::SchemaIncompatible);
        assert_eq!(refusal.extra["differences"][0]["reason"], "too_complex");
    }
    assert_eq!(proposal.judge(&mut Work::of(cost)).unwrap().breaks, []);
}

#[test]
fn a_grant_costs_what_it_names_and_is_broken_where_it_is_not_looked_at() {
    let mut held = grant();
    let before = file().items;
    let versions = [version(1, &before)];
    let items = [&before[..], &[nullable("gate", ItemType::C)]].concat();
    let proposal =
        Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions: &versions, items: &items };
    let verdict = proposal.judge(&mut Work::default()).unwrap();
    let cost = |held: &Grant| {
        let mut work = Work::of(1_000_000);
        assert!(!concerned(&proposal, &verdict, held, &mut work).unwrap().breaks());
        1_000_000 - work.left()
    };
    let plain = cost(&held);
    held.provider_filter = Some(["origin == \"JFK\""; 50].join(" || "));
    assert!(cost(&held) > plain + 100, "a filter is read");
    let missed = concerned(&proposal, &verdict, &held, &mut Work::of(plain)).unwrap();
    assert_eq!(missed.own.iter().map(|found| found.reason.as_str()).collect::<Vec<_>>(), ["too_complex"]);
    let refusal = check(Level::OF_RESOURCES, &verdict, &[missed]).unwrap_err();
    assert_eq!(refusal.extra["differences"][0]["grant"], held.id.to_string());
}

#[test]
fn of_many_versions_no_more_is_told_than_can_be_read() {
    let items = |kind| (0..1000).map(|n| item(&format!("i{n}"), kind)).collect::<Vec<_>>();
    let versions = generation(12, &items(ItemType::I));
    let new = items(ItemType::C);
    let mut work = Work::default();
    let proposal =
        Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions: &versions, items: &new };
    let verdict = proposal.judge(&mut work).unwrap();
    let told: usize = verdict.breaks.iter().map(|found| found.text.zh.len() + found.text.en.len()).sum();
    assert!(told < 5 << 20 && verdict.omitted > 0, "{told} bytes, {} more", verdict.omitted);
    let found = verdict.breaks.len() + verdict.omitted;
    assert_eq!(found, 2 * 12 * 1000, "but each is counted");
}

#[test]
fn a_reason_is_told_once() {
    let versions = [version(1, &[nullable("x", ItemType::L)])];
    let found = judged(&versions, &[nullable("x", ItemType::C)]).breaks;
    let backward = found.iter().find(|found| found.rule == Rule::Backward).unwrap();
    assert_eq!(backward.because.len(), 2, "why neither branch takes it: {:#?}", backward.because);
    let said = |text: &Text| text.en.ends_with(&backward.text.en);
    assert!(!backward.because.iter().any(said), "{backward:#?}");
}
