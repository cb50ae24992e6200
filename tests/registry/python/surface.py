"""The registry as Confluent's client for Python uses it: python surface.py URL. Whatever is not as it should be ends the
program with what it was."""

import json
import sys

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.schema_registry_client import (
    Metadata,
    MetadataProperties,
    MetadataTags,
    Rule,
    RuleKind,
    RuleMode,
    RuleSet,
    ServerConfig,
)

URL = sys.argv[1]
SUBJECT = "python/observations-value"  # the slash travels percent-encoded


def client(url=URL):
    return SchemaRegistryClient({"url": url, "max.retries": 0})


def observation(*fields, **more):
    text = {"type": "record", "name": "Observation", "namespace": "weather", "fields": list(fields)}
    return Schema(json.dumps(text), "AVRO", **more)


STATION = {"name": "station", "type": "string"}
TEMP = {"name": "temp", "type": ["null", "double"], "default": None}
ONE, TWO = observation(STATION), observation(STATION, TEMP)
WRONG = observation(STATION, {"name": "hour", "type": "int"})


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def refused(code, call, *args, **options):
    try:
        answer = call(*args, **options)
    except SchemaRegistryError as error:
        assert error.error_code == code, f"{error} is not {code}"
        equal(str(code)[:3], str(error.http_status_code))
        return error.error_message
    raise AssertionError(f"{answer!r} is not {code}")


def registers(registry):
    equal(registry.get_schema_types(), ["AVRO"])
    first = registry.register_schema_full_response(SUBJECT, ONE)
    second = registry.register_schema(SUBJECT, TWO, normalize_schemas=True)
    assert first.schema_id != second
    message = refused(409, registry.register_schema, SUBJECT, WRONG)
    assert message.startswith("Schema being registered is incompatible with an earlier schema"), message
    refused(42201, registry.register_schema, SUBJECT, Schema('{"type":"record"}', "AVRO"))
    refused(42201, registry.register_schema, SUBJECT, Schema("{}", "JSON"))
    found = registry.lookup_schema(SUBJECT, ONE, deleted=True)
    equal((found.subject, found.version, found.schema_id), (SUBJECT, 1, first.schema_id))
    equal(refused(40403, registry.lookup_schema, SUBJECT, WRONG), "Schema not found")
    equal(refused(40401, registry.lookup_schema, "nowhere", ONE), "Subject 'nowhere' not found.")
    return first


def reads(first):
    registry = client()  # one that has cached nothing
    second = registry.get_latest_version(SUBJECT)
    equal((second.version, second.subject), (2, SUBJECT))
    equal(json.loads(registry.get_schema(first.schema_id).schema_str)["fields"], [STATION])
    registry.clear_caches()
    equal(json.loads(registry.get_schema(first.schema_id, SUBJECT, fmt="resolved").schema_str)["fields"], [STATION])
    equal(json.loads(registry.get_schema_by_guid(first.guid).schema_str)["fields"], [STATION])
    refused(40403, registry.get_schema, 1 << 30)
    equal(registry.get_version(SUBJECT, 1).schema_id, first.schema_id)
    refused(40402, registry.get_version, SUBJECT, 9)
    refused(42202, registry.get_version, SUBJECT, "first")
    equal(registry.get_versions(SUBJECT), [1, 2])
    equal(registry.get_versions(SUBJECT, offset=1, limit=1), [2])
    equal(registry.get_subjects(subject_prefix="python/"), [SUBJECT])
    equal(registry.get_subjects_by_schema_id(first.schema_id), [SUBJECT])
    versions = registry.get_schema_versions(first.schema_id)
    equal([(version.subject, version.version) for version in versions], [(SUBJECT, 1)])


def refers(registry):
    reference = SchemaReference("weather.Observation", SUBJECT, 2)
    field = {"name": "of", "type": "weather.Observation"}
    text = json.dumps({"type": "record", "name": "Report", "namespace": "weather", "fields": [field]})
    report = registry.register_schema("python-report", Schema(text, "AVRO", [reference]))
    equal(registry.get_referenced_by(SUBJECT, 2), [report])
    resolved = client().get_schema(report, fmt="resolved")
    assert "station" in resolved.schema_str, resolved.schema_str
    # A reference may be to the latest version, and to what refers to something itself.
    outer = json.dumps({"type": "record", "name": "Outer", "fields": [{"name": "r", "type": "weather.Report"}]})
    nested = SchemaReference("weather.Report", "python-report", -1)
    registry.register_schema("python-outer", Schema(outer, "AVRO", [nested]))
    refused(42206, registry.delete_subject, SUBJECT)
    for subject in ["python-outer", "python-report"]:
        equal(registry.delete_subject(subject), [1])
        equal(registry.delete_subject(subject, permanent=True), [1])


def carries_metadata_and_rules(registry):
    metadata = Metadata(
        tags=MetadataTags({"weather.Observation.station": ["PLACE"]}),
        properties=MetadataProperties({"owner": "weather"}),
        sensitive=None,
    )
    rule = Rule("cold", "not below zero kelvin", RuleKind.CONDITION, RuleMode.WRITE, "CEL", ["PLACE"], None,
                "message.temp > -273.15", None, "ERROR", False)
    rules = RuleSet(migration_rules=None, domain_rules=[rule], encoding_rules=None)
    owned = observation(STATION, TEMP, metadata=metadata, rule_set=rules)
    registered = registry.register_schema_full_response(SUBJECT, owned)
    found = client().get_latest_with_metadata(SUBJECT, {"owner": "weather"})
    equal(found.schema_id, registered.schema_id)
    equal(found.schema.metadata.properties.properties, {"owner": "weather"})
    equal(found.schema.rule_set.domain_rules[0].expr, rule.expr)
    bad = RuleSet(migration_rules=None, domain_rules=[
        Rule("up", None, RuleKind.CONDITION, RuleMode.UPGRADE, "CEL", None, None, "true", None, None, False)
    ], encoding_rules=None)
    refused(42210, registry.register_schema, SUBJECT, observation(STATION, rule_set=bad))


def compares(registry):
    equal(registry.test_compatibility(SUBJECT, TWO), True)
    equal(registry.test_compatibility(SUBJECT, WRONG, version=1, verbose=True), False)
    equal(registry.test_compatibility("python-new", WRONG), True)
    equal(registry.test_compatibility_all_versions(SUBJECT, WRONG, normalize=True, verbose=True), False)
    equal(registry.get_compatibility(), "BACKWARD")
    refused(40408, registry.get_compatibility, SUBJECT)
    equal(registry.set_compatibility(SUBJECT, "full_transitive")["compatibility"], "FULL_TRANSITIVE")
    equal(registry.get_compatibility(SUBJECT), "FULL_TRANSITIVE")
    refused(42203, registry.set_compatibility, SUBJECT, "somehow")
    config = ServerConfig(compatibility=ConfigCompatibilityLevel.NONE, compatibility_group="major")
    registry.set_config(SUBJECT, config)
    equal(registry.get_config(SUBJECT).compatibility_level, ConfigCompatibilityLevel.NONE)
    equal(registry.get_config(SUBJECT).compatibility_group, "major")
    equal(registry.delete_config(SUBJECT).compatibility_level, ConfigCompatibilityLevel.NONE)
    registry.set_compatibility(level="FORWARD")
    equal(registry.get_compatibility(), "FORWARD")
    registry.set_compatibility(level="BACKWARD")


def has_modes(registry):
    equal(registry.get_global_mode(), "READWRITE")
    refused(40409, registry.get_mode, SUBJECT)
    equal(registry.update_mode(SUBJECT, "READONLY"), "READONLY")
    refused(42205, registry.register_schema, SUBJECT, observation(STATION, TEMP, {"name": "n", "type": "int", "default": 0}))
    refused(42204, registry.update_mode, SUBJECT, "SOMETIMES")
    equal(registry.delete_mode(SUBJECT), "READONLY")
    refused(42205, registry.update_mode, SUBJECT, "IMPORT")
    equal(registry.update_mode(SUBJECT, "IMPORT", force=True), "IMPORT")
    registry.delete_mode(SUBJECT)
    equal(registry.update_global_mode("READONLY"), "READONLY")
    refused(42205, registry.register_schema, "python-new", ONE)
    equal(registry.update_global_mode("READWRITE"), "READWRITE")


def has_contexts(registry):
    inside = client(f"{URL}/contexts/.python")
    made = inside.register_schema("inner", ONE)
    equal(made, registry.register_schema(":.python:inner", ONE))
    equal(inside.get_latest_version("inner").subject, ":.python:inner")
    equal(inside.get_subjects(), [":.python:inner"])
    assert {".", ".python"} <= set(registry.get_contexts()), registry.get_contexts()
    equal(registry.delete_subject(":.python:inner"), [1])


def deletes(registry):
    equal(refused(40405, registry.delete_subject, SUBJECT, permanent=True),
          f"Subject '{SUBJECT}' was not deleted first before being permanently deleted")
    refused(40407, registry.delete_version, SUBJECT, 1, permanent=True)
    equal(registry.delete_version(SUBJECT, 1), 1)
    refused(40406, registry.delete_version, SUBJECT, 1)
    equal(registry.get_versions(SUBJECT, deleted=True), [1, 2, 3])
    equal(registry.delete_version(SUBJECT, 1, permanent=True), 1)
    equal(registry.delete_subject(SUBJECT), [2, 3])
    assert SUBJECT not in registry.get_subjects()
    assert SUBJECT in registry.get_subjects(deleted=True)
    refused(40404, registry.delete_subject, SUBJECT)
    equal(registry.delete_subject(SUBJECT, permanent=True), [2, 3])
    refused(40401, registry.get_versions, SUBJECT)


def main():
    registry = client()
    first = registers(registry)
    reads(first)
    refers(registry)
    carries_metadata_and_rules(registry)
    compares(registry)
    has_modes(registry)
    has_contexts(registry)
    deletes(registry)
    print("python: all as it should be")


main()
