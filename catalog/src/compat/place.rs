//! Where a difference is: Java's location (a JSON pointer into the reader) and the path that people read, like
//! `address.lines[].text`. Steps are kept once and shared; they are written out only for what is told.

use crate::avro::Kind;

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

#[derive(Debug, Clone)]
pub(super) enum Step<'a> {
    /// Of a location.
    Word(&'static str),
    Number(usize),
    /// Of a path.
    Field(&'a str),
    Items,
    Values,
    Branch(&'a Kind),
}

#[derive(Debug, Default)]
pub(super) struct Places<'a>(Vec<(Place, Step<'a>)>);

impl<'a> Places<'a> {
    pub const TOP: Place = Place(usize::MAX);

    pub fn add(&mut self, from: Place, step: Step<'a>) -> Place {
        self.0.push((from, step));
        Place(self.0.len() - 1)
    }

    fn steps(&self, place: Place) -> Vec<&Step<'a>> {
        let mut steps = Vec::new();
        let mut at = place;
        while let Some((from, step)) = self.0.get(at.0) {
            steps.push(step);
            at = *from;
        }
        steps.reverse();
        steps
    }

    /// As Java's `Incompatibility.getLocation`.
    pub fn location(&self, place: Place) -> String {
        let word = |step: &Step<'_>| match step {
            Step::Number(number) => number.to_string(),
            Step::Word(word) => (*word).to_owned(),
            Step::Field(_) | Step::Items | Step::Values | Step::Branch(_) => String::new(),
        };
        let words: Vec<_> = self.steps(place).into_iter().map(word).collect();
        format!("/{}", words.join("/"))
    }

    /// Nothing for the top.
    pub fn path(&self, place: Place) -> String {
        let mut path = String::new();
        for step in self.steps(place) {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Items => path.push_str("[]"),
                Step::Values => path.push_str("{}"),
                Step::Branch(kind) => path.extend(["<", &kind.branch(), ">"]),
                Step::Word(word) => path.push_str(word),
                Step::Number(number) => path.push_str(&number.to_string()),
            }
        }
        path
    }
}
