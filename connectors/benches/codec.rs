//! What the codec costs a record, and apache-avro's way through values beside it in the same run. Bodies are of 1,000
//! records and everything a publish or a delivery does with them in the codec is in the figure: lines cut, values
//! checked, keys made, records framed. What is measured is the processor time of the thread, so that other work on the
//! machine is not in it.

mod at_work;

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use changtong_catalog::grant::Grant;
use changtong_catalog::ids::{BatchId, Generation, ResourceNumber, SchemaId};
use changtong_catalog::mask::Mask;
use changtong_catalog::resource::ResourceFile;
use changtong_catalog::schema;
use changtong_connectors::avro::{Body, BodyLimits, Format, Places, Plan, View, container, read_body};
use changtong_connectors::fuzz::sample::{grant, keys};
use changtong_connectors::log::LogRecord;
use criterion::{Bencher, Criterion, Throughput};
use uuid::Uuid;

use at_work::AtWork;

type Outcome = Result<(), Box<dyn Error>>;

const RECORDS: usize = 1000;
const MARKER: [u8; 16] = *b"0123456789abcdef";
const LIMITS: BodyLimits =
    BodyLimits { records: RECORDS, record_bytes: 64 << 10, decompressed: 64 << 20, ratio: 100 };

/// Twelve items that apache-avro's values can say too: name, type, further lines.
const PLAIN: [(&str, &str, &str); 12] = [
    ("id", "C", "length = 32"),
    ("name", "C", "length = 40"),
    ("office", "C", ""),
    ("address", "C", "length = 200"),
    ("status", "C", "values = [\"停业\", \"在业\", \"注销\"]"),
    ("contact", "C", "nullable = true"),
    ("remark", "M", "nullable = true"),
    ("district", "C", ""),
    ("staff", "I", "length = 9"),
    ("capital", "I", ""),
    ("score", "B", ""),
    ("listed", "L", ""),
];

/// The same length with dates, times and money.
const RICH: [(&str, &str, &str); 12] = [
    ("id", "C", "length = 32"),
    ("name", "C", "length = 40"),
    ("office", "C", ""),
    ("status", "C", "values = [\"停业\", \"在业\", \"注销\"]"),
    ("remark", "M", "nullable = true"),
    ("founded", "D", ""),
    ("checked", "D", "nullable = true"),
    ("changed_at", "T", ""),
    ("seen_at", "T", "nullable = true"),
    ("capital", "Y", "precision = 18\nscale = 2"),
    ("paid", "Y", "precision = 18\nscale = 2\nnullable = true"),
    ("staff", "I", "length = 9"),
];

fn plain(n: usize) -> Vec<(&'static str, String)> {
    vec![
        ("id", format!("\"91110108MA01{n:06}\"")),
        ("name", "\"北京畅通数据服务有限公司\"".to_owned()),
        ("office", "\"海淀区市场监督管理局\"".to_owned()),
        ("address", format!("\"北京市海淀区中关村大街{}号数据大厦3层西侧办公区\"", n % 90 + 1)),
        ("status", "\"在业\"".to_owned()),
        ("contact", if n.is_multiple_of(4) { "null".to_owned() } else { "\"李工 010-62512345\"".to_owned() }),
        ("remark", if n.is_multiple_of(2) { "null".to_owned() } else { "\"年报已公示\"".to_owned() }),
        ("district", "\"110108\"".to_owned()),
        ("staff", (n % 4000).to_string()),
        ("capital", (n * 1_000_003).to_string()),
        ("score", format!("{}.25", n % 100)),
        ("listed", n.is_multiple_of(3).to_string()),
    ]
}

fn rich(n: usize) -> Vec<(&'static str, String)> {
    vec![
        ("id", format!("\"91110108MA01{n:06}\"")),
        ("name", "\"北京畅通数据服务有限公司\"".to_owned()),
        ("office", "\"海淀区市场监督管理局\"".to_owned()),
        ("status", "\"在业\"".to_owned()),
        ("remark", if n.is_multiple_of(2) { "null".to_owned() } else { "\"年报已公示\"".to_owned() }),
        ("founded", format!("\"20{:02}-03-{:02}\"", n % 26, n % 28 + 1)),
        ("checked", if n.is_multiple_of(4) { "null".to_owned() } else { "\"2026-11-24\"".to_owned() }),
        ("changed_at", format!("\"2026-11-24T08:{:02}:{:02}+08:00\"", n % 60, n % 59)),
        ("seen_at", "\"2026-11-24T00:00:00.120Z\"".to_owned()),
        ("capital", format!("\"{}.50\"", n * 1000)),
        ("paid", if n.is_multiple_of(4) { "null".to_owned() } else { format!("{}.25", n * 90) }),
        ("staff", (n % 4000).to_string()),
    ]
}

fn line(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn lines(record: fn(usize) -> Vec<(&'static str, String)>) -> String {
    (0..RECORDS).map(|n| line(&record(n)) + "\n").collect()
}

fn reversed(n: usize) -> Vec<(&'static str, String)> {
    plain(n).into_iter().rev().collect()
}

fn csv(record: fn(usize) -> Vec<(&'static str, String)>) -> String {
    let row = |n: usize| {
        let fields = record(n).into_iter().map(|(_, value)| value.trim_matches('"').to_owned());
        fields.map(|value| if value == "null" { String::new() } else { value }).collect::<Vec<_>>().join(",")
            + "\n"
    };
    let header: Vec<_> = record(0).iter().map(|(name, _)| *name).collect();
    header.join(",") + "\n" + &(0..RECORDS).map(row).collect::<String>()
}

fn file(kind: &str, items: &[(&str, &str, &str)]) -> Result<ResourceFile, Box<dyn Error>> {
    let key = if kind == "table" { "\"id\"" } else { "" };
    let mut text = format!(
        "class = \"307022\"\ntitle = \"企业登记信息\"\nprovider = \"p\"\nkind = \"{kind}\"\n\
         share_type = \"unconditional\"\nupdate_cycle = \"daily\"\nkey = [{key}]\n"
    );
    for (name, letter, more) in items {
        write!(
            text,
            "[[items]]\nname = \"{name}\"\ntitle = \"信息项 {name}\"\ntype = \"{letter}\"\n{more}\n"
        )?;
    }
    Ok(toml::from_str(&text)?)
}

fn plan(file: &ResourceFile) -> Plan {
    Plan::of(file, SchemaId(7), (!file.key.is_empty()).then_some(SchemaId(8)), 3)
}

fn read(plan: &Plan, format: Format, body: &[u8]) -> Result<Body, Box<dyn Error>> {
    let body = read_body(plan, format, body, &LIMITS, BatchId(Uuid::nil()), &mut |_| Ok(()))?;
    match body.bad.first() {
        Some(bad) => Err(format!("record {} does not fit: {:?}", bad.index, bad.problems).into()),
        None if body.records.len() == RECORDS => Ok(body),
        None => Err(format!("{} records", body.records.len()).into()),
    }
}

fn stored(body: Body) -> Vec<LogRecord> {
    let record = |(offset, record): (usize, changtong_connectors::avro::Checked)| LogRecord {
        partition: record.partition,
        offset: offset as i64,
        appended_ms: 1_795_852_800_000,
        key: record.key,
        value: record.value,
    };
    body.records.into_iter().enumerate().map(record).collect()
}

/// A file as another program would write it: a block of every record.
fn container_file(schema: &str, records: &[LogRecord]) -> Vec<u8> {
    let datum = |record: &LogRecord| record.value.as_ref().map_or(Vec::new(), |value| value[5..].to_vec());
    let data: Vec<u8> = records.iter().flat_map(datum).collect();
    let mut file = container::head(schema.as_bytes(), MARKER);
    container::put_block(records.len() as u64, &data, MARKER, &mut file);
    file
}

fn encode(criterion: &mut Criterion<AtWork>) -> Outcome {
    let plain_plan = plan(&file("table", &PLAIN)?);
    let rich_plan = plan(&file("table", &RICH)?);
    let json = lines(plain);
    let bytes = json.len() / RECORDS;
    let mut group = criterion.benchmark_group(format!("publish/{bytes} B of JSON"));
    group.throughput(Throughput::Elements(RECORDS as u64));
    let bodies = [
        ("json", &plain_plan, Format::Ndjson, json.clone()),
        ("json, items in reverse", &plain_plan, Format::Ndjson, lines(reversed)),
        ("json, dates and money", &rich_plan, Format::Ndjson, lines(rich)),
        ("csv", &plain_plan, Format::Csv, csv(plain)),
    ];
    for (name, plan, format, body) in bodies {
        read(plan, format, body.as_bytes())?;
        group.bench_function(name, |bencher: &mut Bencher<'_, AtWork>| {
            bencher.iter(|| read(plan, format, black_box(body.as_bytes())).is_ok());
        });
    }
    let text = schema::value_schema(ResourceNumber(1), &file("table", &PLAIN)?.items)?;
    let avro = apache_avro::Schema::parse_str(&text)?;
    let writer = GenericDatumWriter::builder(&avro).build()?;
    let by_values = |body: &str| -> Result<usize, Box<dyn Error>> {
        let mut bytes = 0;
        for line in body.lines() {
            let value = Value::try_from(serde_json::from_str::<serde_json::Value>(line)?)?;
            bytes += writer.write_value_to_vec(value.resolve(&avro)?)?.len();
        }
        Ok(bytes)
    };
    let ours: usize = read(&plain_plan, Format::Ndjson, json.as_bytes())?
        .records
        .iter()
        .map(|record| record.value.as_ref().map_or(0, |value| value.len() - 5))
        .sum();
    if by_values(&json)? != ours {
        return Err("apache-avro writes other bytes".into());
    }
    group.bench_function("json, apache-avro's values", |bencher: &mut Bencher<'_, AtWork>| {
        bencher.iter(|| by_values(black_box(&json)).is_ok());
    });
    group.finish();
    Ok(())
}

fn foreign(criterion: &mut Criterion<AtWork>) -> Outcome {
    let items = file("table", &PLAIN)?;
    let schema = schema::value_schema(ResourceNumber(1), &items.items)?;
    let all = plan(&items);
    let file_of_all = container_file(&schema, &stored(read(&all, Format::Ndjson, lines(plain).as_bytes())?));
    let narrow = plan(&file("stream", &PLAIN[11..])?);
    let mut group = criterion.benchmark_group("foreign avro");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, plan) in [("walked, checked, encoded anew", &all), ("eleven of twelve walked over", &narrow)] {
        read(plan, Format::Avro, &file_of_all)?;
        group.bench_function(name, |bencher: &mut Bencher<'_, AtWork>| {
            bencher.iter(|| read(plan, Format::Avro, black_box(&file_of_all)).is_ok());
        });
    }
    group.finish();
    Ok(())
}

fn deliver(criterion: &mut Criterion<AtWork>) -> Outcome {
    let half = ["id", "name", "status", "remark", "staff", "listed"];
    let all: Vec<&str> = PLAIN.iter().map(|(name, _, _)| *name).collect();
    // Half of the items, one of them masked, most rows inside the filter.
    let mut some = grant(&half, None, Some("status == \"在业\" && staff >= 0"));
    some.masks.insert("name".to_owned(), Mask::First);
    let open = grant(&all, None, None);
    let mut group = criterion.benchmark_group("deliver");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for kind in ["stream", "table"] {
        let resource = file(kind, &PLAIN)?;
        let plan = Arc::new(plan(&resource));
        let records = stored(read(&plan, Format::Ndjson, lines(plain).as_bytes())?);
        let view = |grant: &Grant| View::compile(plan.clone(), &resource.items, grant, keys());
        let (half, whole) = (view(&some)?, view(&open)?);
        let (mut places, mut out) = (Places::default(), Vec::new());
        let mut bench = |name: &str, view: &View, as_line: bool| {
            group.bench_function(format!("{kind}: {name}"), |bencher: &mut Bencher<'_, AtWork>| {
                bencher.iter(|| {
                    out.clear();
                    for record in black_box(&records) {
                        let _ = if as_line {
                            view.line(Generation(1), record, true, &mut places, &mut out)
                        } else {
                            view.datum(Generation(1), record, true, &mut places, &mut out)
                        };
                    }
                    out.len()
                });
            });
        };
        bench("6 of 12 items, masked, filtered, as avro", &half, false);
        bench("6 of 12 items, masked, filtered, as json", &half, true);
        bench("12 items as json", &whole, true);
    }
    group.finish();
    Ok(())
}

fn main() -> Outcome {
    let mut criterion = Criterion::default().with_measurement(AtWork).configure_from_args();
    encode(&mut criterion)?;
    foreign(&mut criterion)?;
    deliver(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
