//! The files in `config/examples` say what they should, and fit the data beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use changtong_catalog::ids::{AccountId, AgencyId, BatchId, Generation, ResourceNumber, SchemaId};
use changtong_catalog::ports::{ResourceStanding, SchemaText, SchemaVersion};
use changtong_catalog::request::RequestFile;
use changtong_catalog::request::check::{self as request_check, Answer};
use changtong_catalog::resource::{self, Resource, ResourceFile, ResourceState};
use changtong_catalog::schema;
use changtong_connectors::avro::{BodyLimits, Format, Plan, read_body};
use changtong_connectors::runner::{ConnectorSpec, End};
use serde::de::DeserializeOwned;
use uuid::Uuid;

const RESOURCES: [&str; 5] = ["airports", "flights", "planes", "streets", "weather"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn resource(name: &str) -> ResourceFile {
    read(&examples().join(format!("{name}.toml")))
}

/// Header and rows of a bundled file; none of them has a comma or a line break within a field.
fn table(name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let path = examples().join(format!("data/{name}.csv"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fields = |line: &str| line.split(',').map(|field| field.trim_matches('"').to_owned()).collect();
    let mut lines = text.lines();
    let header = fields(lines.next().expect("a header line"));
    (header, lines.map(fields).collect())
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder of the examples");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_resource_file_is_one_of_the_five_and_has_the_columns_of_its_data() {
    assert_eq!(stems(&examples()), RESOURCES.map(str::to_owned).into());
    for name in RESOURCES {
        let names: Vec<String> = resource(name).items.into_iter().map(|item| item.name).collect();
        assert_eq!(names, table(name).0, "{name}");
    }
}

#[test]
fn the_catalog_takes_every_resource_file() {
    for name in RESOURCES {
        resource::check::check(&resource(name)).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    }
}

/// The entry as it stands once published; the code is the one that the requests name.
fn published(name: &str) -> ResourceStanding {
    let file = resource(name);
    let number = ResourceNumber(1);
    let text = |id, text| SchemaText { id: SchemaId(id), text, fingerprint: String::new() };
    let value = schema::value_schema(number, &file.items).expect("a value schema");
    let resource = Resource {
        number,
        code: format!("{}/000001", file.class).parse().expect("a resource code"),
        provider: AgencyId(Uuid::nil()),
        state: ResourceState::Published,
        version: 1,
        generation: Generation(1),
        file,
        written_by: AccountId(Uuid::nil()),
        submitted_by: None,
        approved_by: None,
        schema: Some(SchemaId(1)),
        key_schema: Some(SchemaId(2)),
        published_at: None,
        log_rolled_back: false,
        suspended_by: None,
        provider_suspended: false,
        proposal: None,
    };
    let version = SchemaVersion { version: 1, schema: text(1, value), items: resource.file.items.clone() };
    ResourceStanding {
        resource,
        topic: None,
        versions: [version].into(),
        key_schema: Some(text(2, String::new())),
    }
}

#[test]
fn the_codec_takes_every_bundled_record() {
    let limits = BodyLimits { records: 10_000, record_bytes: 4096, decompressed: 4096, ratio: 100 };
    for name in RESOURCES {
        let plan = Plan::compile(&published(name), 3).expect("a plan");
        // As the connector does with `null = ["", "NA"]`.
        let (header, rows) = table(name);
        let null = |field: &String| if field == "NA" { String::new() } else { field.clone() };
        let lines = rows.iter().map(|row| row.iter().map(null).collect::<Vec<_>>().join(","));
        let body: Vec<String> = std::iter::once(header.join(",")).chain(lines).collect();
        let body = body.join("\n");
        let read =
            read_body(&plan, Format::Csv, body.as_bytes(), &limits, BatchId(Uuid::nil()), &mut |_| Ok(()));
        let read = read.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let first_bad = read.bad.first().map(|bad| (bad.index, &bad.problems));
        assert_eq!(first_bad, None, "{name}");
        assert_eq!(read.records.len(), rows.len(), "{name}");
    }
}

#[test]
fn the_bundled_data_keeps_the_defects_of_the_full_data() {
    let column = |name: &str, wanted: &str| {
        let (header, rows) = table(name);
        let at = header.iter().position(|column| column == wanted).expect("the column");
        rows.into_iter().map(|row| row[at].clone()).collect::<Vec<_>>()
    };
    let nulls = |name, wanted| column(name, wanted).iter().filter(|value| *value == "NA").count();
    assert!(nulls("flights", "dep_time") > 0, "cancelled flights");
    assert!(nulls("flights", "tailnum") > 0, "flights without tail number");
    assert!(nulls("airports", "tzone") > 0, "airports without a time zone");
    assert!(column("weather", "pressure").contains(&"1e3".to_owned()), "a number with an exponent");

    let rows = table("weather").1;
    let keys: BTreeSet<_> = rows.iter().map(|row| row[..5].to_vec()).collect();
    assert_eq!(rows.len() - keys.len(), 3, "the hour that is there twice at each of three airports");
}

#[test]
fn every_connectors_file_is_one_that_a_server_takes() {
    let folder = examples().join("connectors");
    for name in stems(&folder) {
        let text = fs::read_to_string(folder.join(format!("{name}.toml"))).expect("a connector's file");
        // The grant is the only thing a person has to fill in.
        let text = text.replace("\"GRANT\"", "\"01890a5d-ac96-774b-bcce-b302099a8057\"");
        let value: serde_json::Value =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spec = ConnectorSpec::from_value(&value).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(spec.name, name);
        let (source, of_source) = (matches!(spec.end, End::Source(_)), name.ends_with("-in"));
        assert_eq!(source, of_source, "{name}");
    }
}

#[test]
fn weather_is_asked_for_whole_and_granted_at_once() {
    let file: RequestFile = read(&examples().join("requests/weather.toml"));
    let standing = published("weather");
    assert_eq!(file.resource, standing.resource.code.dashed());
    assert_eq!(file.items, table("weather").0);
    assert_eq!(file.filter, None);
    assert_eq!(answer("weather", &file), Answer::AtOnce);
}

#[test]
fn six_of_nineteen_items_of_flights_are_asked_for_and_the_provider_decides() {
    let file: RequestFile = read(&examples().join("requests/flights.toml"));
    let standing = published("flights");
    assert_eq!(file.resource, standing.resource.code.dashed());
    let items = &standing.resource.file.items;
    assert_eq!((file.items.len(), items.len()), (6, 19));
    assert!(file.filter.is_some());
    let masked = items.iter().filter(|item| item.mask.is_some() && file.items.contains(&item.name));
    assert_eq!(masked.count(), 1, "one of them is masked");
    assert_eq!(answer("flights", &file), Answer::ByProvider);
}

fn answer(name: &str, file: &RequestFile) -> Answer {
    let today = "2026-11-24".parse().expect("a date");
    request_check::check(file, &published(name).resource, today)
        .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}
