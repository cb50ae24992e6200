//! The guesses on small files, and that a draft is a valid resource file.

use changtong_catalog::resource::{ItemType, Kind, ResourceFile};

use super::*;

const FLIGHTS: &str = "year,carrier,flight,dep_delay,lat,code,when,day,late,机场,note\n\
    2013,UA,1545,2,40.5,007,2013-01-01T10:00:00Z,2013-01-01,true,纽约,\n\
    2013,UA,1714,-4,-40.75,017,2013-01-01T10:00:00Z,2013-01-02,false,纽约,NA\n\
    2013,AA,1545,NA,1,107,2013-01-01T11:00:00Z,2013-01-01,true,纽约,\n";

#[test]
fn the_narrowest_type_that_fits_all_values() {
    let draft = from_csv(FLIGHTS.as_bytes()).unwrap();
    let kinds: Vec<_> = draft.columns.iter().map(|column| column.guess().kind).collect();
    use ItemType::{C, D, I, L, N, T};
    assert_eq!(kinds, [I, C, I, I, N, C, T, D, L, C, C]);
    let lat = draft.columns[4].guess();
    assert_eq!((lat.precision, lat.scale), (Some(6), Some(2)));
    let nullable: Vec<_> =
        draft.columns.iter().filter(|column| column.guess().nullable).map(|c| &c.name).collect();
    assert_eq!(nullable, ["dep_delay", "note"]);
    assert_eq!(draft.columns[9].name, "c10");
}

#[test]
fn the_fewest_columns_that_tell_rows_apart() {
    let draft = from_csv(FLIGHTS.as_bytes()).unwrap();
    assert_eq!(draft.key, ["lat"]);
    let pairs = from_csv("a,b,c\n1,1,x\n1,2,x\n2,1,x\n".as_bytes()).unwrap();
    assert_eq!(pairs.key, ["a", "b"]);
    let none = from_csv("a,b\n1,1\n1,1\n".as_bytes()).unwrap();
    assert!(none.key.is_empty());
}

#[test]
fn a_draft_is_a_resource_file() {
    for (body, kind) in [(FLIGHTS, Kind::Table), ("a,b\n1,1\n1,1\n", Kind::Stream)] {
        let draft = from_csv(body.as_bytes()).unwrap();
        let text = to_toml(&draft, "航班\"运行\"", "transport-stats", "307022");
        let file: ResourceFile = toml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!((file.kind, file.items.len(), &file.key), (kind, draft.columns.len(), &draft.key));
    }
}

#[test]
fn ndjson_members_that_come_late_are_nullable() {
    let draft = from_ndjson("{\"a\":1}\n\n{\"a\":2,\"b\":\"x\"}\n".as_bytes()).unwrap();
    assert_eq!(draft.rows, 2);
    assert_eq!((draft.columns[1].nulls, draft.columns[1].guess().nullable), (1, true));
    assert_eq!(draft.key, ["a"]);
}

#[test]
fn names_are_made_unique_and_ascii() {
    let draft = from_csv("A b,a_b,1x,名称,名 称\n1,2,3,4,5\n".as_bytes()).unwrap();
    let names: Vec<_> = draft.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a_b", "a_b_2", "c_1x", "c4", "c5"]);
    assert!(from_csv("a,b\n".as_bytes()).is_err());
    assert!(from_ndjson("[1]\n".as_bytes()).is_err());
}
