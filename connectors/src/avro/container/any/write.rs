//! NDJSON to a container file of any schema. Whoever calls takes what was written away where it ends in a refusal.

use std::io::{BufRead, Read as _, Write};

use apache_avro::{Codec as Theirs, DeflateSettings, Writer};
use changtong_catalog::error::{Code, Refusal};
use serde_json::Value as Json;

use super::super::super::body::malformed;
use super::super::file::Codec;
use super::Known;
use super::tree::{Fault, tree};

/// Bytes of one line.
const MOST_LINE: u64 = 16 << 20;
/// Lines that do not fit are named so far.
const MOST_NAMED: usize = 20;

/// Writes a record for each line that is not empty; how many.
pub fn write(schema: &[u8], lines: &mut dyn BufRead, codec: Codec, out: impl Write) -> Result<u64, Refusal> {
    let known = Known::read(schema)?;
    let codec = match codec {
        Codec::Null => Theirs::Null,
        Codec::Deflate => Theirs::Deflate(DeflateSettings::default()),
    };
    let mut writer = Writer::with_codec(&known.theirs, out, codec).map_err(unwritten)?;
    let (mut records, mut faults, mut line) = (0, Faults::default(), Vec::new());
    for number in 1_u64.. {
        line.clear();
        let mut bounded = (&mut *lines).take(MOST_LINE + 1);
        let read = bounded.read_until(b'\n', &mut line).map_err(|error| unread(number, &error))?;
        if read == 0 {
            break;
        }
        if read as u64 > MOST_LINE {
            return Err(too_long(number));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match known.value(&line) {
            // What follows is only looked at.
            Ok(_) if faults.lines > 0 => {}
            Ok(value) => match writer.append_value_ref(&value) {
                Ok(_) => records += 1,
                Err(error) => faults.put(number, Fault::of(short(&error), short(&error))),
            },
            Err(fault) => faults.put(number, fault),
        }
    }
    if faults.lines > 0 {
        return Err(faults.refusal());
    }
    let mut out = writer.into_inner().map_err(unwritten)?;
    out.flush().map_err(unwritten)?;
    Ok(records)
}

impl Known {
    fn value(&self, line: &[u8]) -> Result<apache_avro::types::Value, Fault> {
        let json: Json = serde_json::from_slice(line).map_err(|error| {
            Fault::of(format!("不是一行 JSON({error})"), format!("it is no line of JSON ({error})"))
        })?;
        tree(&self.ours, &json)
    }
}

/// What does not fit, by its lines.
#[derive(Default)]
struct Faults {
    lines: u64,
    named: Vec<(u64, Fault)>,
}

impl Faults {
    fn put(&mut self, line: u64, fault: Fault) {
        self.lines += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push((line, fault));
        }
    }

    fn refusal(self) -> Refusal {
        let Self { lines, named } = self;
        let mut zh = format!("有 {lines} 行不符合模式,未写入文件");
        let mut en = format!("{lines} lines do not fit the schema; no file was written");
        for (line, Fault { path, text }) in &named {
            let (at, of) = if path.is_empty() { ("", "") } else { (" ", path.as_str()) };
            zh.push_str(&format!("\n  第 {line} 行{at}{of}:{}", text.zh));
            en.push_str(&format!("\n  line {line}{at}{of}: {}", text.en));
        }
        if lines > named.len() as u64 {
            zh.push_str("\n  …");
            en.push_str("\n  …");
        }
        Refusal::new(Code::RecordsInvalid, zh, en)
    }
}

/// What apache-avro says: it shows the whole value, of which the beginning will do.
fn short(error: &impl ToString) -> String {
    error.to_string().chars().take(300).collect()
}

fn unread(line: u64, error: &std::io::Error) -> Refusal {
    malformed(format!("第 {line} 行无法读取:{error}"), format!("line {line} cannot be read: {error}"))
}

fn too_long(line: u64) -> Refusal {
    malformed(
        format!("第 {line} 行超过 {MOST_LINE} 字节"),
        format!("line {line} has more than {MOST_LINE} bytes"),
    )
}

fn unwritten(error: impl ToString) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("无法写入文件:{}", short(&error)),
        format!("the file cannot be written: {}", short(&error)),
    )
}
