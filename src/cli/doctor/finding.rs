//! What a check found.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Good,
    /// It works, and somebody should look at it.
    Doubtful,
    /// The service cannot work so.
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub checked: &'static str,
    pub state: State,
    pub found: String,
    /// What to do; empty where all is well.
    pub mend: String,
}

impl Finding {
    pub fn good(checked: &'static str, found: impl Into<String>) -> Self {
        Self { checked, state: State::Good, found: found.into(), mend: String::new() }
    }

    pub fn doubtful(checked: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { checked, state: State::Doubtful, found: found.into(), mend: mend.into() }
    }

    pub fn wrong(checked: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { checked, state: State::Wrong, found: found.into(), mend: mend.into() }
    }

    pub fn as_json(&self) -> Value {
        let state = match self.state {
            State::Good => "ok",
            State::Doubtful => "look",
            State::Wrong => "wrong",
        };
        json!({ "state": state, "checked": self.checked, "found": self.found, "mend": self.mend })
    }
}
