//! Rules that travel with a schema. Clients run them; the registry keeps, checks and merges them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::content::or_default;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleSet {
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub migration_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub domain_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub encoding_rules: Vec<Rule>,
    /// Where they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_at: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub kind: RuleKind,
    #[serde(deserialize_with = "or_default")]
    pub mode: RuleMode,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "or_default")]
    pub tags: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub disabled: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleKind {
    #[default]
    Transform,
    Condition,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleMode {
    Upgrade,
    Downgrade,
    UpDown,
    Write,
    Read,
    #[default]
    WriteRead,
}

const LONGEST_NAME: usize = 256;

impl RuleSet {
    pub(super) fn hash(&self, update: &mut impl FnMut(&[u8])) {
        for rule in self.all() {
            rule.hash(update);
        }
        if let Some(place) = &self.enable_at {
            update(place.as_bytes());
        }
    }

    fn all(&self) -> impl Iterator<Item = &Rule> {
        self.migration_rules.iter().chain(&self.domain_rules).chain(&self.encoding_rules)
    }

    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for rule in self.all() {
            let name = rule.check()?;
            if !names.insert(name) {
                return Err(format!("Found rule with duplicate name '{name}'"));
            }
        }
        if self.migration_rules.iter().any(|rule| !rule.mode.migrates()) {
            return Err("Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN".to_owned());
        }
        if self.domain_rules.iter().any(|rule| rule.mode.migrates()) {
            return Err("Domain rules can only be WRITE, READ, WRITEREAD".to_owned());
        }
        if self.encoding_rules.iter().any(|rule| rule.mode.migrates()) {
            return Err("Encoding rules can only be WRITE, READ, WRITEREAD".to_owned());
        }
        Ok(())
    }

    /// Two layers as one; of two rules of one name the second's stands.
    #[must_use]
    pub fn over(below: Option<&Self>, above: Option<&Self>) -> Option<Self> {
        let (Some(below), Some(above)) = (below, above) else { return below.or(above).cloned() };
        Some(Self {
            migration_rules: over(&below.migration_rules, &above.migration_rules),
            domain_rules: over(&below.domain_rules, &above.domain_rules),
            encoding_rules: over(&below.encoding_rules, &above.encoding_rules),
            enable_at: above.enable_at.clone().or_else(|| below.enable_at.clone()),
        })
    }

    /// Whether a rule of it is run by this handler.
    #[must_use]
    pub fn uses(&self, handler: &str) -> bool {
        self.all().any(|rule| rule.handler.as_deref() == Some(handler))
    }
}

fn over(below: &[Rule], above: &[Rule]) -> Vec<Rule> {
    let kept = below.iter().filter(|rule| above.iter().all(|other| other.name != rule.name));
    kept.chain(above).cloned().collect()
}

impl Rule {
    fn hash(&self, update: &mut impl FnMut(&[u8])) {
        let mut text = |text: &Option<String>| update(text.as_deref().unwrap_or_default().as_bytes());
        text(&self.name);
        text(&self.doc);
        update(self.kind.word().as_bytes());
        update(self.mode.word().as_bytes());
        update(self.handler.as_deref().unwrap_or_default().as_bytes());
        self.tags.iter().for_each(|tag| update(tag.as_bytes()));
        for (name, value) in &self.params {
            update(name.as_bytes());
            update(value.as_bytes());
        }
        let mut text = |text: &Option<String>| update(text.as_deref().unwrap_or_default().as_bytes());
        text(&self.expr);
        text(&self.on_success);
        text(&self.on_failure);
        if self.disabled {
            update(&[1]);
        }
    }

    fn check(&self) -> Result<&str, String> {
        let name = self.name.as_deref().ok_or("Missing rule name")?;
        let mut rest = name.chars();
        let Some(first) = rest.next() else { return Err("Empty rule name".to_owned()) };
        if name.chars().count() > LONGEST_NAME {
            return Err("Rule name too long".to_owned());
        }
        if !(first.is_alphabetic() || first == '_') {
            return Err(format!("Illegal initial character in rule name: {name}"));
        }
        if !rest.all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err(format!("Illegal character in rule name: {name}"));
        }
        if self.handler.is_none() {
            return Err("Missing rule type".to_owned());
        }
        let many = |action: &Option<String>| action.as_deref().is_some_and(|action| action.contains(','));
        let both = matches!(self.mode, RuleMode::WriteRead | RuleMode::UpDown);
        if !both && (many(&self.on_success) || many(&self.on_failure)) {
            return Err("Multiple actions only valid with WRITEREAD and UPDOWN".to_owned());
        }
        Ok(name)
    }
}

impl RuleKind {
    fn word(self) -> &'static str {
        match self {
            Self::Transform => "TRANSFORM",
            Self::Condition => "CONDITION",
        }
    }
}

impl RuleMode {
    fn word(self) -> &'static str {
        match self {
            Self::Upgrade => "UPGRADE",
            Self::Downgrade => "DOWNGRADE",
            Self::UpDown => "UPDOWN",
            Self::Write => "WRITE",
            Self::Read => "READ",
            Self::WriteRead => "WRITEREAD",
        }
    }

    fn migrates(self) -> bool {
        matches!(self, Self::Upgrade | Self::Downgrade | Self::UpDown)
    }
}
