//! The rules of the house that neither the compiler nor clippy keeps (CONTRIBUTING.md).

use std::fs;
use std::path::{Path, PathBuf};

const SOURCES: [&str; 4] = ["src", "catalog", "connectors", "tests"];
const MOST_LINES: usize = 400;
const NAMELESS: [&str; 5] = ["util", "utils", "common", "helpers", "misc"];

/// Which library may be named where; a library that is not here may be used anywhere.
const PLACES: [(&str, &[&str]); 3] = [
    // catalog/src/ids.rs says how an id is stored, and only with feature `store`.
    (
        "sqlx",
        &[
            "catalog/src/store/",
            "catalog/src/ids.rs",
            "connectors/src/log/embedded",
            "connectors/src/sink/sql",
        ],
    ),
    ("rdkafka", &["connectors/src/log/kafka"]),
    ("axum", &["src/http/", "src/console/"]),
];

struct Source {
    /// Relative to the project's folder, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are not comments, with their numbers. (A `//` inside a string hides the rest of its line.)
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let without_comment = |line| str::split(line, "//").next().unwrap_or_default();
        self.text.lines().enumerate().map(move |(at, line)| (at + 1, without_comment(line)))
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path =
                    path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    assert!(
        found.iter().any(|source| source.path == "src/main.rs"),
        "the sources are where they are looked for"
    );
    found
}

/// Fails with every breach at once, so that one run is enough to mend them all.
fn none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '-';
        !line[..at].ends_with(part_of_name) && !line[at + word.len()..].starts_with(part_of_name)
    })
}

#[test]
fn no_source_file_is_longer_than_can_be_read_at_once() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines", source.path))
    });
    none("a source file has at most 400 lines; long unit tests go to a sibling tests.rs", long.collect());
}

#[test]
fn every_module_has_a_name_that_says_something() {
    let nameless = sources()
        .into_iter()
        .filter(|source| source.path.split(['/', '.']).any(|part| NAMELESS.contains(&part)));
    none(
        "no module is called util, utils, common, helpers or misc",
        nameless.map(|source| source.path).collect(),
    );
}

#[test]
fn every_module_opens_by_saying_what_it_is_for() {
    // What the compiler must refuse is shown to it as it is.
    let shown = |path: &str| path.contains("/compile_fail/");
    let silent = sources()
        .into_iter()
        .filter(|source| !shown(&source.path))
        .filter(|source| source.text.strip_prefix("//! ").is_none_or(|rest| rest.trim_start().len() < 10));
    none(
        "a module opens with a //! line that says what it is for",
        silent.map(|source| source.path).collect(),
    );
}

#[test]
fn a_library_is_named_only_where_its_seam_is() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (library, places) in PLACES {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            let named = source.code().filter(|(_, line)| names(line, library));
            breaches.extend(named.map(|(at, _)| format!("{}:{at} names {library}", source.path)));
        }
    }
    none("sqlx, rdkafka and axum stay behind their seams", breaches);
}

/// What reads a machine's own clock, and where it may stand. A server is none of these places: whatever its machine believes,
/// it goes by what the store says, and by a monotonic clock in between.
const CLOCKS: [(&str, &[&str]); 5] = [
    ("SystemTime::now", &["src/clock.rs"]),
    ("Utc::now", &["src/cli/doctor/engines.rs"]),
    ("Local::now", &[]),
    ("now_v7", &[]),
    ("MachineClock::start", &["src/cli/connector/run.rs"]),
];

#[test]
fn case_13_a_server_looks_at_no_clock_but_the_stores() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (clock, places) in CLOCKS {
            if !places.contains(&source.path.as_str()) && source.code().any(|(_, line)| line.contains(clock))
            {
                breaches.push(format!("{} in {}", clock, source.path));
            }
        }
    }
    none("the machine's clock is looked at", breaches);
}

#[test]
fn no_lint_is_allowed_and_no_test_is_ignored() {
    let mut breaches = Vec::new();
    for source in sources() {
        // Put together here, so that this file does not name them.
        for forbidden in
            [concat!("[all", "ow("), concat!("[ign", "ore"), concat!("TO", "DO"), concat!("FIX", "ME")]
        {
            let found = source.text.lines().enumerate().filter(|(_, line)| line.contains(forbidden));
            breaches.extend(found.map(|(at, _)| format!("{}:{}: {forbidden}", source.path, at + 1)));
        }
    }
    none("a lint is expected with a reason, a test runs, a thing is done or in an issue", breaches);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = |folder: &str| -> toml::Table {
        let text = fs::read_to_string(root.join(folder).join("Cargo.toml")).expect("a manifest");
        text.parse().expect("a manifest that can be read")
    };
    let lints = &manifest(".")["workspace"]["lints"];
    assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for ban in ["unwrap_used", "expect_used", "panic", "todo", "dbg_macro", "allow_attributes"] {
        assert_eq!(lints["clippy"][ban].as_str(), Some("deny"), "{ban}");
    }
    for folder in [".", "catalog", "connectors"] {
        assert_eq!(manifest(folder)["lints"]["workspace"].as_bool(), Some(true), "{folder}");
    }
}
