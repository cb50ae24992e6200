//! Hostile input: abuse cases by name. Each test asserts the code and its text, that nothing was lost and that others
//! are served meanwhile.
//!
//! | case | what is tried | test |
//! |---|---|---|
//!
//! Rows stand in the order of their numbers. A case may have several; a test that stands elsewhere is named with its
//! path from the project's root.

use std::fs;

use crate::shell::project;

const FOLDER: &str = "tests/integration/hostile";

/// A row of the table above: the file of its test, and the test.
fn rows() -> Vec<(String, String)> {
    let page = fs::read_to_string(project(FOLDER).join("mod.rs")).expect("this file");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter(|row| row.starts_with(|first: char| first.is_ascii_digit()));
    let named = |row: &str| {
        let mut words = row.rsplit('|').nth(1).expect("a last cell").split('`').skip(1).step_by(2);
        let file = words.next().expect("a file").to_owned();
        (file, words.next().expect("a test").to_owned())
    };
    rows.map(named).collect()
}

#[test]
fn every_row_names_a_test_that_is_there() {
    for (file, test) in rows() {
        let path = if file.contains('/') && project(&file).exists() {
            project(&file)
        } else {
            project(FOLDER).join(&file)
        };
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{test} is not in {file}");
    }
}
