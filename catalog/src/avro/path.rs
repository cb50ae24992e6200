//! Where something stands in a schema's text: steps from its top, kept once and shared, written out only when told.

/// Place of a step in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Trail(usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Member(&'static str),
    Element(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Trails(Vec<(Trail, Step)>);

impl Trails {
    /// The whole text.
    pub const TOP: Trail = Trail(usize::MAX);

    pub fn add(&mut self, from: Trail, step: Step) -> Trail {
        self.0.push((from, step));
        Trail(self.0.len() - 1)
    }

    /// Like `fields[3].type[1]`; nothing for the top.
    pub fn text(&self, trail: Trail) -> String {
        let mut steps = Vec::new();
        let mut at = trail;
        while let Some((from, step)) = self.0.get(at.0) {
            steps.push(*step);
            at = *from;
        }
        let mut text = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Member(name) if text.is_empty() => text.push_str(name),
                Step::Member(name) => text.extend([".", name]),
                Step::Element(place) => text.push_str(&format!("[{place}]")),
            }
        }
        text
    }
}
