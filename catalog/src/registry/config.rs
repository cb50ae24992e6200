//! Settings of a subject or a context: what a new schema is held to, and what it is given.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{Beside, MOST_BESIDE, Metadata, bytes};
use super::rules::RuleSet;
use super::wrong::Wrong;
use crate::compat::{Level, Policy};
use crate::error::{Code, Refusal};

/// As it is answered (`compatibilityLevel`) and kept. What is not said stands with whatever is asked next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The subject that is meant where this one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_new_schemas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_rules: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_level: Option<String>,
    /// `LOGICAL`: what changes the meaning of data breaks too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_policy: Option<String>,
    /// A property; only versions with the same value of it are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_rule_set: Option<RuleSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_rule_set: Option<RuleSet>,
}

const LOGICAL: &str = "LOGICAL";

impl Config {
    #[must_use]
    pub fn of_level(level: Level) -> Self {
        Self { compatibility_level: Some(level.word().to_owned()), ..Self::default() }
    }

    /// With a request laid over it: a member that is there is set, `null` takes it away.
    pub fn updated(&self, request: &Map<String, Value>) -> Result<Self, Wrong> {
        let mut new = self.clone();
        set(request, "alias", &mut new.alias)?;
        set(request, "normalize", &mut new.normalize)?;
        set(request, "validateFields", &mut new.validate_fields)?;
        set(request, "validateNewSchemas", &mut new.validate_new_schemas)?;
        set(request, "validateRules", &mut new.validate_rules)?;
        set(request, "compatibilityPolicy", &mut new.compatibility_policy)?;
        set(request, "compatibilityGroup", &mut new.compatibility_group)?;
        set(request, "defaultMetadata", &mut new.default_metadata)?;
        set(request, "overrideMetadata", &mut new.override_metadata)?;
        set(request, "defaultRuleSet", &mut new.default_rule_set)?;
        set(request, "overrideRuleSet", &mut new.override_rule_set)?;
        set(request, "compatibility", &mut new.compatibility_level).map_err(|_| Wrong::InvalidLevel)?;
        if let Some(word) = &new.compatibility_level {
            new.compatibility_level = Some(Level::of(word).ok_or(Wrong::InvalidLevel)?.word().to_owned());
        }
        for rules in [&new.default_rule_set, &new.override_rule_set].into_iter().flatten() {
            rules.check().map_err(Wrong::InvalidRules)?;
        }
        if bytes(&new) > MOST_BESIDE {
            return Err(Wrong::Refused(Refusal::new(
                Code::Invalid,
                format!("设置共超过 {MOST_BESIDE} 字节:请缩短元数据或规则"),
                format!("the settings are more than {MOST_BESIDE} bytes in all: shorten metadata or rules"),
            )));
        }
        Ok(new)
    }

    /// As the answer to a change: the level by the name it has in requests.
    pub fn as_request(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self) else { return Map::new() };
        if let Some(level) = members.remove("compatibilityLevel") {
            members.insert("compatibility".to_owned(), level);
        }
        members
    }

    /// A subject's own laid over the ones of everything.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        let below = below.clone();
        Self {
            alias: self.alias,
            normalize: self.normalize.or(below.normalize),
            validate_fields: self.validate_fields.or(below.validate_fields),
            validate_new_schemas: self.validate_new_schemas.or(below.validate_new_schemas),
            validate_rules: self.validate_rules.or(below.validate_rules),
            compatibility_level: self.compatibility_level.or(below.compatibility_level),
            compatibility_policy: self.compatibility_policy.or(below.compatibility_policy),
            compatibility_group: self.compatibility_group.or(below.compatibility_group),
            default_metadata: Metadata::over(below.default_metadata.as_ref(), self.default_metadata.as_ref()),
            override_metadata: Metadata::over(
                below.override_metadata.as_ref(),
                self.override_metadata.as_ref(),
            ),
            default_rule_set: RuleSet::over(below.default_rule_set.as_ref(), self.default_rule_set.as_ref()),
            override_rule_set: RuleSet::over(
                below.override_rule_set.as_ref(),
                self.override_rule_set.as_ref(),
            ),
        }
    }

    #[must_use]
    pub fn level(&self) -> Level {
        self.compatibility_level.as_deref().and_then(Level::of).unwrap_or(Level::OF_OTHERS)
    }

    #[must_use]
    pub fn policy(&self) -> Policy {
        let logical =
            self.compatibility_policy.as_deref().is_some_and(|word| word.eq_ignore_ascii_case(LOGICAL));
        if logical { Policy::House } else { Policy::Avro }
    }

    #[must_use]
    pub fn normalizes(&self, asked: bool) -> bool {
        asked || self.normalize == Some(true)
    }

    /// Whether a new schema is given metadata or rules that are not its own or an earlier version's.
    #[must_use]
    pub fn completes(&self) -> bool {
        let metadata = self.default_metadata.is_some() || self.override_metadata.is_some();
        metadata || self.default_rule_set.is_some() || self.override_rule_set.is_some()
    }

    /// Metadata and rules of a new schema: its own or those of the version before, between what is set as default and
    /// what is set over all.
    #[must_use]
    pub fn filled(&self, given: &Beside, previous: Option<&Beside>) -> Beside {
        let metadata = given.metadata.as_ref().or_else(|| previous?.metadata.as_ref());
        let metadata = Metadata::over(self.default_metadata.as_ref(), metadata);
        let rules = given.rule_set.as_ref().or_else(|| previous?.rule_set.as_ref());
        let rules = RuleSet::over(self.default_rule_set.as_ref(), rules);
        Beside {
            references: given.references.clone(),
            metadata: Metadata::over(metadata.as_ref(), self.override_metadata.as_ref()),
            rule_set: RuleSet::over(rules.as_ref(), self.override_rule_set.as_ref()),
        }
    }
}

fn set<T: DeserializeOwned>(
    request: &Map<String, Value>,
    name: &str,
    into: &mut Option<T>,
) -> Result<(), Wrong> {
    let Some(value) = request.get(name) else { return Ok(()) };
    *into = serde_json::from_value(value.clone()).map_err(|_| {
        Wrong::Refused(Refusal::new(
            Code::Invalid,
            format!("{name} 的值不合要求"),
            format!("{name} is not what it must be"),
        ))
    })?;
    Ok(())
}
