//! What becomes of a schema that is registered.

use super::schema;
use crate::compat::{Level, Policy, Work};
use crate::ids::SchemaId;
use crate::registry::*;

const fn earlier(version: i32, id: i32, deleted: bool) -> Earlier {
    Earlier { version, id: SchemaId(id), deleted }
}

const NOTHING: Given = Given { id: None, version: None, imports: false };

fn decided(known: Option<i32>, given: Given) -> Result<Outcome, Wrong> {
    let before = [earlier(1, 10, true), earlier(2, 11, false), earlier(4, 12, true)];
    place(&Subject::read("s"), &before, known.map(SchemaId), given)
}

#[test]
fn what_stands_keeps_its_version_and_what_is_new_gets_the_next() {
    assert_eq!(decided(Some(11), NOTHING), Ok(Outcome::Stands(2)));
    let new = |id: Option<i32>, replaced: &[i32]| {
        Ok(Outcome::New { version: 5, id: id.map(SchemaId), replaced: replaced.to_vec() })
    };
    assert_eq!(decided(None, NOTHING), new(None, &[]), "numbers of deleted versions are not given again");
    assert_eq!(decided(Some(99), NOTHING), new(Some(99), &[]), "known from another subject");
    assert_eq!(decided(Some(10), NOTHING), new(Some(10), &[1]), "hidden before, and comes again");
    assert_eq!(
        place(&Subject::read("s"), &[], None, NOTHING),
        Ok(Outcome::New { version: 1, id: None, replaced: Vec::new() })
    );
}

#[test]
fn numbers_of_its_own_are_for_imports() {
    let with = |id, version, imports| Given { id, version, imports };
    assert_eq!(decided(None, with(None, Some(9), false)).unwrap_err().error_code(), 42201);
    let next = decided(None, with(None, Some(5), false)).unwrap();
    assert!(matches!(next, Outcome::New { version: 5, .. }));
    let far = decided(None, with(Some(70), Some(9), true)).unwrap();
    assert_eq!(far, Outcome::New { version: 9, id: Some(SchemaId(70)), replaced: Vec::new() });
    assert_eq!(decided(Some(11), with(Some(70), None, true)).unwrap_err().error_code(), 42207);
    assert_eq!(decided(Some(11), with(Some(11), Some(2), true)), Ok(Outcome::Stands(2)));
    assert_eq!(decided(None, with(Some(70), Some(2), true)).unwrap_err().error_code(), 42205);
}

#[test]
fn a_subject_has_a_thousand_versions_and_no_more() {
    let there: Vec<Earlier> = (1..=1000).map(|version| earlier(version, version, version % 2 == 0)).collect();
    let after = |there: &[Earlier], known: Option<i32>| {
        place(&Subject::read("s"), there, known.map(SchemaId), NOTHING)
    };
    assert!(matches!(after(&there[..999], None), Ok(Outcome::New { version: 1000, .. })));
    assert_eq!(after(&there, None).unwrap_err().error_code(), 42205);
    assert_eq!(after(&there, Some(7)), Ok(Outcome::Stands(7)), "what is there is still answered");
}

#[test]
fn numbers_do_not_run_over() {
    let last = [earlier(i32::MAX, 1, false)];
    assert_eq!(place(&Subject::read("s"), &last, None, NOTHING).unwrap_err().error_code(), 42205);
    let imported = |version| {
        place(&Subject::read("s"), &[], None, Given { id: Some(1), version: Some(version), imports: true })
    };
    assert!(imported(1 << 30).is_ok());
    assert_eq!(imported((1 << 30) + 1).unwrap_err().error_code(), 42205);
}

#[test]
fn what_breaks_is_told_with_the_version() {
    let text = "\"string\"".to_owned();
    let before = Compared { version: 1, schema: schema(&text), text };
    let said =
        |text: &str, level| incompatible(&schema(text), &before, (level, Policy::Avro), &mut Work::default());
    let told = said("\"long\"", Level::BackwardTransitive);
    assert!(told.contains(&"{oldSchemaVersion: 1}".to_owned()), "{told:?}");
    assert!(said("\"bytes\"", Level::Full).is_empty());
    assert!(said("\"boolean\"", Level::None).is_empty());
}
