//! The files in `config/examples` say what they should, and fit the data beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use changtong_catalog::request::RequestFile;
use changtong_catalog::resource::{AvroType, Item, ItemType, ResourceFile};
use serde::de::DeserializeOwned;

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
fn key_items_exist_are_never_null_and_never_floating() {
    for name in RESOURCES {
        let file = resource(name);
        assert!(!file.key.is_empty(), "{name}");
        for key in &file.key {
            let item = file.items.iter().find(|item| item.name == *key);
            let item = item.unwrap_or_else(|| panic!("{name}: key {key} is no item"));
            assert!(!item.nullable, "{name}.{key}");
            assert!(!matches!(item.avro(), AvroType::Float | AvroType::Double), "{name}.{key}");
        }
    }
}

#[test]
fn every_bundled_value_fits_its_item() {
    for name in RESOURCES {
        let file = resource(name);
        for (line, row) in table(name).1.iter().enumerate() {
            for (item, value) in file.items.iter().zip(row) {
                if let Some(why) = misfit(item, value) {
                    panic!("{name} row {}: {} = {value:?} {why}", line + 1, item.name);
                }
            }
        }
    }
}

fn misfit(item: &Item, value: &str) -> Option<String> {
    if value.is_empty() || value == "NA" {
        return (!item.nullable).then(|| "is null".to_owned());
    }
    let fits = match item.kind {
        ItemType::C => {
            value.chars().count() <= item.length.map_or(usize::MAX, |most| most as usize)
                && (item.values.is_empty() || item.values.iter().any(|allowed| allowed == value))
        }
        ItemType::I => {
            value.parse::<i32>().is_ok()
                && value.trim_start_matches('-').len() <= item.length.expect("a length") as usize
        }
        ItemType::B => value.parse::<f64>().is_ok(),
        ItemType::N => {
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            let (precision, scale) = (item.precision.expect("precision"), item.scale.expect("scale"));
            fraction.len() <= scale as usize
                && whole.trim_start_matches('-').len() <= (precision - scale) as usize
        }
        ItemType::T => value.len() == 20 && value.ends_with('Z'),
        other => return Some(format!("is of a type no example has: {other:?}")),
    };
    (!fits).then(|| format!("does not fit {:?}", item.kind))
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
fn the_requests_ask_for_weather_whole_and_for_six_of_nineteen_items_of_flights() {
    let weather: RequestFile = read(&examples().join("requests/weather.toml"));
    assert_eq!(weather.items, table("weather").0);
    assert_eq!(weather.filter, None);

    let flights: RequestFile = read(&examples().join("requests/flights.toml"));
    let file = resource("flights");
    assert_eq!((flights.items.len(), file.items.len()), (6, 19));
    assert!(flights.filter.is_some());
    let granted = file.items.iter().filter(|item| flights.items.contains(&item.name));
    assert_eq!(granted.clone().count(), 6, "every item asked for exists");
    assert_eq!(granted.filter(|item| item.mask.is_some()).count(), 1, "one of them is masked");
}
