//! ARCHITECTURE.md names files and tests that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::project;

/// Where the paths of the map begin.
const ROOTS: [&str; 4] = ["", "catalog/src", "connectors/src", "src"];

fn page() -> String {
    fs::read_to_string(project("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// What stands between backticks and is made of the letters of a path.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let letters = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_./-".contains(&byte))
    };
    text.split('`').skip(1).step_by(2).filter(move |word| letters(word))
}

fn is_there(word: &str) -> bool {
    let at = |root: &str| project(root).join(word);
    ROOTS.iter().any(|root| at(root).exists() || at(root).with_extension("rs").exists())
}

#[test]
fn files_and_folders_are_there() {
    let page = page();
    let map = page.lines().filter(|line| line.starts_with("| `"));
    let first_cells: Vec<&str> = map.filter_map(|line| line.split('|').nth(1)).collect();
    let paths = words(&page).filter(|word| word.contains('/') && !word.starts_with('/'));
    let named: BTreeSet<&str> = first_cells.iter().flat_map(|cell| words(cell)).chain(paths).collect();
    let missing: Vec<_> = named.iter().filter(|word| !is_there(word)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
    assert!(named.len() > 50, "the page is read: {}", named.len());
}

/// The text of a source file and of the modules beside and below it.
fn source(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file")
}

fn sources(folder: PathBuf, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&source(&path));
        }
    }
}

#[test]
fn tests_are_there() {
    let page = page();
    let invariants = page.lines().filter(|line| line.starts_with("| I"));
    for cell in invariants.filter_map(|line| line.split('|').nth(3)) {
        let mut file = None;
        for word in words(cell) {
            if word.ends_with(".rs") {
                file = Some(source(&project(word)));
            } else if word.contains('_') {
                let text = file.as_ref().expect("a file before its tests");
                assert!(text.contains(&format!("fn {word}(")), "{word} is not in its file: {cell}");
            }
        }
        assert!(file.is_some(), "no test: {cell}");
    }
    let mut all = String::new();
    ["catalog", "connectors", "src", "tests"].iter().for_each(|root| sources(project(root), &mut all));
    let adding = page.split("## How to add").nth(1).expect("how to add");
    let tests: Vec<&str> = words(adding).filter(|word| word.matches('_').count() > 2).collect();
    assert!(tests.len() >= 3 && tests.iter().all(|test| all.contains(&format!("fn {test}("))), "{tests:?}");
}
