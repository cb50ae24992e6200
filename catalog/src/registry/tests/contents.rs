//! What makes contents equal, and how layers of metadata and rules come together.

use serde_json::json;

use crate::registry::*;

fn beside(value: serde_json::Value) -> Beside {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_guid_is_the_md5_of_what_a_schema_is() {
    let plain = Content::of_text("\"string\"");
    // MD5 of the eight bytes, by another tool.
    assert_eq!(plain.guid().simple().to_string(), "095d71cf12556b9d5e330ad575b3df5d");
    assert_eq!(plain.fingerprint(), crate::schema::fingerprint("\"string\""));
    let mut seen = vec![(plain.guid(), plain.fingerprint())];
    for other in [
        json!({"references": [{"name": "t.R", "subject": "r", "version": 1}]}),
        json!({"references": [{"name": "t.R", "subject": "r", "version": 2}]}),
        json!({"metadata": {}}),
        json!({"metadata": {"properties": {"a": "b"}}}),
        json!({"metadata": {"tags": {"x": ["PII"]}}}),
        json!({"ruleSet": {"domainRules": [{"name": "r", "type": "CEL"}]}}),
        json!({"ruleSet": {"domainRules": [{"name": "r", "type": "CEL", "disabled": true}]}}),
    ] {
        let content = Content { text: plain.text.clone(), beside: beside(other) };
        let marks = (content.guid(), content.fingerprint());
        assert!(!seen.iter().any(|(guid, print)| *guid == marks.0 || *print == marks.1), "{content:?}");
        seen.push(marks);
    }
}

#[test]
fn what_stands_beside_a_text_comes_back_equal() {
    let all = json!({
        "references": [{"name": "t.R", "subject": "r", "version": 1}],
        "metadata": {"properties": {"a": "b"}, "sensitive": ["a"], "tags": {"x": ["PII"]}},
        "ruleSet": {"domainRules": [{"disabled": false, "expr": "true", "kind": "CONDITION", "mode": "WRITE",
            "name": "r", "onFailure": "DLQ", "params": {"p": "q"}, "tags": ["PII"], "type": "CEL"}]},
    });
    assert_eq!(serde_json::to_value(beside(all.clone())).unwrap(), all);
    assert_eq!(beside(json!({})), Beside::default());
}

#[test]
fn a_rule_without_kind_and_mode_transforms_both_ways() {
    let rule: Rule = serde_json::from_value(json!({"name": "r", "type": "ENCRYPT"})).unwrap();
    assert_eq!((rule.kind, rule.mode), (RuleKind::Transform, RuleMode::WriteRead));
}

#[test]
fn rules_are_checked() {
    for (rules, text) in [
        (json!({"domainRules": [{"name": "r"}]}), "Missing rule type"),
        (json!({"domainRules": [{"type": "CEL"}]}), "Missing rule name"),
        (
            json!({"domainRules": [{"name": "1r", "type": "CEL"}]}),
            "Illegal initial character in rule name: 1r",
        ),
        (json!({"domainRules": [{"name": "r r", "type": "CEL"}]}), "Illegal character in rule name: r r"),
        (
            json!({"domainRules": [{"name": "r", "type": "CEL"}], "encodingRules": [{"name": "r", "type": "CEL"}]}),
            "Found rule with duplicate name 'r'",
        ),
        (
            json!({"migrationRules": [{"name": "r", "type": "CEL"}]}),
            "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN",
        ),
        (
            json!({"domainRules": [{"name": "r", "type": "CEL", "mode": "UPGRADE"}]}),
            "Domain rules can only be WRITE, READ, WRITEREAD",
        ),
        (
            json!({"domainRules": [{"name": "r", "type": "CEL", "mode": "READ", "onFailure": "DLQ,NONE"}]}),
            "Multiple actions only valid with WRITEREAD and UPDOWN",
        ),
    ] {
        let rules: RuleSet = serde_json::from_value(rules).unwrap();
        assert_eq!(rules.check(), Err(text.to_owned()));
    }
}

#[test]
fn given_stands_between_default_and_override() {
    let config: Config = serde_json::from_value(json!({
        "defaultMetadata": {"properties": {"a": "default", "b": "default", "c": "default"}},
        "overrideMetadata": {"properties": {"c": "override"}},
        "defaultRuleSet": {"domainRules": [{"name": "r", "type": "CEL"}, {"name": "s", "type": "CEL"}]},
    }))
    .unwrap();
    let given = beside(json!({"metadata": {"properties": {"b": "given", "c": "given"}},
        "ruleSet": {"domainRules": [{"name": "s", "type": "ENCRYPT"}]}}));
    let previous = beside(json!({"metadata": {"properties": {"d": "previous"}}}));
    let filled = config.filled(&given, Some(&previous));
    let properties = &filled.metadata.as_ref().unwrap().properties;
    let expected = json!({"a": "default", "b": "given", "c": "override"});
    assert_eq!(serde_json::to_value(properties).unwrap(), expected, "given takes the place of the previous");
    let rules = filled.rule_set.unwrap().domain_rules;
    let named: Vec<_> =
        rules.iter().map(|r| (r.name.as_deref().unwrap(), r.handler.as_deref().unwrap())).collect();
    assert_eq!(named, [("r", "CEL"), ("s", "ENCRYPT")]);
    let carried = Config::default().filled(&Beside::default(), Some(&previous));
    assert_eq!(carried, previous);
}

#[test]
fn a_body_of_any_client_is_read() {
    let body = json!({"schema": "\"int\"", "references": null, "schemaType": "AVRO", "id": -1, "version": 0,
        "schemaTagsToAdd": [], "unknown": {}});
    let candidate: Candidate = serde_json::from_value(body).unwrap();
    assert_eq!((candidate.given_id(), candidate.given_version()), (None, None));
    assert!(candidate.check().is_ok() && candidate.has_text());
    let other = Candidate { schema_type: Some("JSON".to_owned()), ..candidate };
    assert_eq!(other.check().unwrap_err().error_code(), 42201);
}

#[test]
fn what_would_be_too_long_as_it_is_kept_is_refused() {
    // Java writes 1e9 as 1.0E9.
    let numbers = |count: usize| format!(r#"{{"type":"string","x":[{}]}}"#, vec!["1e9"; count].join(","));
    let long = numbers(65_000);
    assert!(long.len() <= crate::avro::MOST_BYTES);
    for normalize in [false, true] {
        let wrong = canonical(&long, &[], crate::avro::Rules::FREE, normalize).unwrap_err();
        assert_eq!(wrong.error_code(), 42201);
        assert!(wrong.to_string().contains("as it is kept it has 390023 bytes"), "{wrong}");
        let kept = canonical(&numbers(30_000), &[], crate::avro::Rules::FREE, normalize).unwrap();
        assert!(canonical(&kept.text, &[], crate::avro::Rules::STORED, false).is_ok());
    }
}
