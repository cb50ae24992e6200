//! Defaults and aliases: what they let come and go, and what they bring nobody.

use super::*;

fn lasting(name: &str, default: &str) -> Item {
    Item { default: Some(default.into()), ..item(name, ItemType::C) }
}

fn renamed(old: &Item, name: &str) -> Item {
    Item { name: name.to_owned(), aliases: vec![old.name.clone()], ..old.clone() }
}

#[test]
fn with_a_default_an_item_that_is_never_empty_comes_and_goes() {
    assert_eq!(breaks(|items| items.push(lasting("gate", "无"))), []);
    let with = [item("id", ItemType::I), lasting("gate", "无")];
    let verdict = judged(&[version(1, &with)], &with[..1]);
    assert_eq!(verdict.breaks, [], "readers of the earlier version are shown its default");
    // It came by its default: without, the records before it cannot be read.
    let without = Item { default: None, ..with[1].clone() };
    let versions = [version(1, &with[..1]), version(2, &with)];
    let found = judged(&versions, &[with[0].clone(), without.clone()]);
    let reasons: Vec<_> = found.breaks.iter().map(|found| (found.version, found.rule)).collect();
    assert_eq!(reasons, [(1, Rule::Meaning), (1, Rule::Backward)]);
    let told = found.changes.iter().map(|change| (change.item.as_str(), change.members.as_slice()));
    assert_eq!(told.collect::<Vec<_>>(), [("gate", &["default"][..])]);
    assert_eq!(judged(&versions[1..], &[with[0].clone(), without]).breaks, [], "no record lacks it");
    for text in [&found.breaks[1].text.zh, &found.breaks[1].text.en] {
        assert!(text.contains("default"), "{text}");
    }
}

#[test]
fn what_readers_were_shown_of_a_record_stays() {
    let id = item("id", ItemType::I);
    let (a, b) = (nullable("a", ItemType::C), lasting("b", "1"));
    let reasons = |versions: &[SchemaVersion], after: &[Item]| {
        let found = judged(versions, after).breaks;
        found.into_iter().map(|found| (found.version, found.path, found.reason)).collect::<Vec<_>>()
    };
    let first = version(1, &[id.clone(), a.clone()]);
    let added = [first.clone(), version(2, &[id.clone(), a.clone(), b.clone()])];
    let other = Item { default: Some("2".into()), ..b.clone() };
    let changed = vec![(1, "b".to_owned(), "default_changed".to_owned())];
    assert_eq!(reasons(&added, &[id.clone(), a.clone(), other.clone()]), changed);
    assert_eq!(reasons(&added[1..], &[id.clone(), a.clone(), other.clone()]), [], "no record lacks it");
    let gone = [added[0].clone(), added[1].clone(), version(3, &[id.clone(), a.clone()])];
    assert_eq!(reasons(&gone, &[id.clone(), a.clone(), b.clone()]), [], "as it was");
    let again = reasons(&gone, &[id.clone(), a.clone(), other]);
    assert_eq!(again, [(3, "b".to_owned(), "default_changed".to_owned())]);
    // Null is shown too.
    let empty = [first.clone(), version(2, &[id.clone(), a.clone(), nullable("c", ItemType::C)])];
    let filled = Item { default: Some("1".into()), ..nullable("c", ItemType::C) };
    assert_eq!(reasons(&empty, &[id.clone(), a.clone(), filled])[0].2, "default_changed");

    let renamed = [first, version(2, &[id.clone(), renamed(&a, "b")])];
    let dropped = [id.clone(), nullable("b", ItemType::C)];
    let dropped = dropped.map(|item| Item { title: a.title.clone(), ..item });
    assert_eq!(reasons(&renamed, &dropped), [(1, "b".to_owned(), "alias_gone".to_owned())]);
    let more = Item { aliases: vec!["z".to_owned(), "a".to_owned()], ..renamed[1].items[1].clone() };
    assert_eq!(reasons(&renamed, &[id, more]), []);
}

#[test]
fn an_item_takes_another_name_where_readers_of_the_earlier_one_can_do_without() {
    assert_eq!(breaks(|items| items[2] = renamed(&items[2], "tail")), [], "it may be empty");
    let missing = "reader_field_missing_default_value";
    assert_eq!(
        breaks(|items| items[0] = renamed(&items[0], "from")),
        [one("origin", Rule::Forward, missing)]
    );
    // Numbers may widen on the way, as neither name is read as the other the other way round.
    let wide = |items: &mut Vec<Item>| items[3] = Item { kind: ItemType::B, ..renamed(&items[3], "delay") };
    assert_eq!(breaks(wide), []);
    let id = item("id", ItemType::I);
    let (a, b) = (nullable("a", ItemType::C), nullable("b", ItemType::C));
    let versions = [version(1, &[id.clone(), a.clone(), b.clone()])];
    let found = judged(&versions, &[id, renamed(&a, "b")]).breaks;
    assert_eq!(found[0].reason, "ambiguous_field", "{found:?}");
}

#[test]
fn case_30_an_alias_loosens_nothing() {
    let id = item("id", ItemType::I);
    let a = Item {
        grade: 3,
        mask: Some(Mask::First),
        unit: Some("元".to_owned()),
        values: vec!["A".to_owned(), "B".to_owned()],
        ..nullable("a", ItemType::C)
    };
    let versions = [version(1, &[id.clone(), a.clone()]), version(2, std::slice::from_ref(&id))];
    let told = |b: Item| {
        let found = judged(&versions, &[id.clone(), b]).breaks;
        found
            .into_iter()
            .map(|found| (found.version, found.path, found.rule, found.reason))
            .collect::<Vec<_>>()
    };
    let b = renamed(&a, "b");
    let one = |rule: Rule, reason: &str| vec![(1, "b".to_owned(), rule, reason.to_owned())];
    assert_eq!(told(b.clone()), []);
    assert_eq!(
        told(Item { title: "其他".to_owned(), ..b.clone() }),
        [],
        "the alias says that it is the same"
    );
    assert_eq!(told(Item { grade: 4, mask: Some(Mask::Blank), ..b.clone() }), [], "stricter");
    assert_eq!(told(Item { grade: 2, ..b.clone() }), one(Rule::Protection, "grade_loosened"));
    assert_eq!(told(Item { mask: None, ..b.clone() }), one(Rule::Protection, "mask_removed"));
    assert_eq!(told(Item { mask: Some(Mask::Name), ..b.clone() }), one(Rule::Protection, "mask_loosened"));
    assert_eq!(told(Item { unit: Some("万元".to_owned()), ..b.clone() }), one(Rule::Meaning, "unit"));
    assert_eq!(told(Item { values: vec!["A".to_owned()], ..b.clone() }), one(Rule::Meaning, "code_list"));
    let plain = nullable("p", ItemType::C);
    let versions = [version(1, &[id.clone(), plain.clone()])];
    let bytes = Item { kind: ItemType::G, ..renamed(&plain, "q") };
    let found = judged(&versions, &[id.clone(), bytes]).breaks;
    let reasons: Vec<_> = found.iter().map(|found| found.reason.as_str()).collect();
    assert_eq!(reasons, ["type_changed"], "text does not become bytes under another name either");
    assert_eq!(
        told(Item { aliases: Vec::new(), mask: None, grade: 1, unit: None, ..b }),
        [],
        "it is another item"
    );
}

#[test]
fn case_30_a_chain_of_names_loosens_nothing() {
    let id = item("id", ItemType::I);
    let a = nullable("a", ItemType::C);
    let b = Item { grade: 4, mask: Some(Mask::Blank), ..renamed(&a, "b") };
    let versions = [version(1, &[id.clone(), a.clone()]), version(2, &[id.clone(), b.clone()])];
    let told = |versions: &[SchemaVersion], after: Item| {
        let found = judged(versions, &[id.clone(), after]).breaks;
        found.into_iter().map(|found| (found.version, found.path, found.reason)).collect::<Vec<_>>()
    };
    let one = |version: i32, path: &str, reason: &str| (version, path.to_owned(), reason.to_owned());
    // The records of a are protected as b: the first name leads no way around that.
    let loosened = [one(2, "c", "grade_loosened"), one(2, "c", "mask_removed")];
    assert_eq!(told(&versions, renamed(&a, "c")), loosened);
    assert_eq!(told(&versions, Item { grade: 4, mask: Some(Mask::Blank), ..renamed(&a, "c") }), []);
    let both = Item { aliases: vec!["b".to_owned(), "a".to_owned()], ..renamed(&b, "c") };
    assert_eq!(told(&versions, both), []);
    // Nor does it come again, as it was or otherwise: who holds the second version would find it under b.
    let again = told(&versions, a.clone());
    assert_eq!(again[0], one(2, "a", "name_reused"));
    assert!(again.contains(&one(2, "a", "mask_removed")), "{again:?}");
    let back = told(&versions, renamed(&b, "a"));
    assert_eq!(back, [one(2, "a", "name_reused")]);
}

#[test]
fn case_31_what_an_item_has_as_its_alias_is_no_later_item() {
    let id = item("id", ItemType::I);
    let b = Item { aliases: vec!["z".to_owned()], ..nullable("b", ItemType::C) };
    let first = version(1, &[id.clone(), b.clone()]);
    let z = Item { grade: 4, mask: Some(Mask::Name), ..nullable("z", ItemType::C) };
    let told = |versions: &[SchemaVersion], after: &[Item]| {
        let found = judged(versions, after).breaks;
        found.into_iter().map(|found| (found.version, found.path, found.reason)).collect::<Vec<_>>()
    };
    let reused = vec![(1, "z".to_owned(), "name_reused".to_owned())];
    let once = std::slice::from_ref(&first);
    assert_eq!(told(once, &[id.clone(), z.clone()]), reused);
    // Also where Avro alone would read it, and where the alias is gone since (a reader of the first version finds two).
    assert_eq!(told(once, &[id.clone(), Item { aliases: vec!["b".to_owned()], ..z.clone() }]), reused);
    let without = [first, version(2, &[id.clone(), nullable("b", ItemType::C)])];
    let ambiguous = (1, "b".to_owned(), "ambiguous_field".to_owned());
    assert_eq!(told(&without, &[id, nullable("b", ItemType::C), z]), [reused[0].clone(), ambiguous]);
}

#[test]
fn a_grant_comes_to_see_nothing_by_an_alias_that_it_did_not_know() {
    let id = item("id", ItemType::I);
    let (a, b) = (nullable("a", ItemType::C), nullable("b", ItemType::C));
    let versions = [version(1, &[id.clone(), a.clone()]), version(2, &[id.clone(), b.clone()])];
    let reasons = |versions: &[SchemaVersion], items: &[Item], granted: &[&str], filter: Option<&str>| {
        let mut held = grant();
        held.items = granted.iter().map(|name| (*name).to_owned()).collect();
        held.consumer_filter = filter.map(str::to_owned);
        let proposal = Proposal { resource: NUMBER, level: Level::OF_RESOURCES, versions, items };
        let verdict = proposal.judge(&mut Work::default()).unwrap();
        assert_eq!(verdict.breaks, []);
        let own = concerned(&proposal, &verdict, &held, &mut Work::default()).unwrap().own;
        own.into_iter().map(|found| (found.path, found.reason)).collect::<Vec<_>>()
    };
    let aliased = [id.clone(), renamed(&a, "b")];
    let broken = [("b".to_owned(), "alias_not_granted".to_owned())];
    assert_eq!(reasons(&versions, &aliased, &["b"], None), broken);
    assert_eq!(reasons(&versions, &aliased, &["id"], Some("b == 'x'")), broken, "a filter tells of it too");
    assert_eq!(reasons(&versions, &aliased, &["id"], None), []);
    // What it was granted under the alias it keeps seeing; what no record has shows nothing.
    let known = [versions[0].clone(), version(2, &aliased)];
    let titled = [id.clone(), Item { title: "乙".to_owned(), ..aliased[1].clone() }];
    assert_eq!(reasons(&known, &titled, &["b"], None), []);
    let unused = [id, Item { aliases: vec!["never".to_owned()], ..b }];
    assert_eq!(reasons(&versions, &unused, &["b"], None), []);
}

#[test]
fn a_masked_items_default_is_no_difference_of_its_derived_schema() {
    let mut held = grant();
    let before = file().items;
    let mut after = before.clone();
    after[3].default = Some(5.into());
    let told = |held: &Grant| {
        let changes = derived_changes(held, &before, &after);
        changes.into_iter().map(|change| (change.item, change.members)).collect::<Vec<_>>()
    };
    assert_eq!(told(&held), [("dep_delay".to_owned(), vec!["default"])]);
    held.masks.insert("dep_delay".to_owned(), Mask::Blank);
    assert_eq!(told(&held), []);
}

#[test]
fn of_a_default_zero_and_minus_zero_are_two() {
    let lasting = |default: f64| Item { default: Some(default.into()), ..item("a", ItemType::B) };
    let changed = |before: f64, after: f64| {
        let changes = item_changes(&[lasting(before)], &[lasting(after)]);
        changes.into_iter().flat_map(|change| change.members).collect::<Vec<_>>()
    };
    assert_eq!(changed(0.0, -0.0), ["default"]);
    assert_eq!((changed(0.0, 0.0).len(), changed(-0.0, -0.0).len()), (0, 0));
}
