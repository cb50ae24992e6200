//! A table of routes and callers: who is let in where.

use std::collections::BTreeSet;

use changtong::http::Route;

/// Well formed, with a right checksum, and nobody's: the key of another application would be refused no sooner.
pub const BAD_KEY: &str = "ctk_00000000_00000000000000000000000000000000_000000";

pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    /// A letter for each caller.
    pub expected: String,
}

/// A line each: method, path, letters.
pub struct AccessTable(pub &'static str);

impl AccessTable {
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let row = |line: &'static str| {
            let mut words = line.split_whitespace();
            let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
            Row { method, path, expected: words.collect() }
        };
        self.0.lines().filter(|line| !line.is_empty()).map(row)
    }

    pub fn names_each_of(&self, routes: &[Route]) {
        let tested: BTreeSet<_> = self.rows().map(|row| (row.method, row.path)).collect();
        let served: BTreeSet<_> = routes.iter().map(|route| (route.method, route.path)).collect();
        assert_eq!(tested, served);
        assert_eq!(self.rows().count(), tested.len(), "a row stands there twice");
    }

    /// `outcome` answers the letter of one caller at one row.
    pub async fn holds<C>(&self, callers: &[C], mut outcome: impl AsyncFnMut(&C, &Row) -> char) {
        let mut wrong = Vec::new();
        for row in self.rows() {
            let mut found = String::new();
            for caller in callers {
                found.push(outcome(caller, &row).await);
            }
            if found != row.expected {
                let Row { method, path, expected } = row;
                wrong.push(format!("{method} {path}: found {found}, the table says {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
