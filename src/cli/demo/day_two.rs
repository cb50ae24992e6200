//! The second day's files: the provider of flights corrects and withdraws some rows, the weather office withdraws one
//! impossible reading.

use std::path::Path;

/// Carrier whose flights turn out to belong to another list: its lines are dropped.
const DROPPED: &str = "HA";
/// Carriers whose clocks were wrong, and by how many minutes their delays change.
const CORRECTED: [(&str, i64); 2] = [("VX", -10), ("US", 5)];

fn place(header: &csv::StringRecord, name: &str) -> Result<usize, String> {
    header
        .iter()
        .position(|column| column == name)
        .ok_or_else(|| format!("the flights have no column {name}"))
}

/// Writes the second state of flights over `to` at once, as an agency's export would replace its file.
pub fn flights(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", to.display());
    let part = to.with_extension("part");
    let mut reader = csv::Reader::from_path(from).map_err(|e| failed(&e))?;
    let mut writer = csv::Writer::from_path(&part).map_err(|e| failed(&e))?;
    let header = reader.headers().map_err(|e| failed(&e))?.clone();
    let (carrier, delay) = (place(&header, "carrier")?, place(&header, "dep_delay")?);
    writer.write_record(&header).map_err(|e| failed(&e))?;
    for row in reader.records() {
        let row = row.map_err(|e| failed(&e))?;
        if &row[carrier] == DROPPED {
            continue;
        }
        let by = CORRECTED.iter().find(|(code, _)| *code == &row[carrier]).map_or(0, |(_, by)| *by);
        let corrected = row[delay].parse::<i64>().map(|minutes| (minutes + by).to_string());
        let fields = row.iter().enumerate();
        let fields = fields.map(|(at, text)| match &corrected {
            Ok(corrected) if at == delay => corrected.as_str(),
            _ => text,
        });
        writer.write_record(fields).map_err(|e| failed(&e))?;
    }
    writer.flush().map_err(|e| failed(&e))?;
    drop(writer);
    std::fs::rename(&part, to).map_err(|e| failed(&e))
}

/// Writes a further weather file of one line: the reading of 1,048 mph is withdrawn.
pub fn weather(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", to.display());
    let mut reader = csv::Reader::from_path(from).map_err(|e| failed(&e))?;
    let header = reader.headers().map_err(|e| failed(&e))?.clone();
    let speed = place(&header, "wind_speed")?;
    let impossible = |row: &csv::StringRecord| row[speed].parse::<f64>().is_ok_and(|mph| mph > 300.0);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).map_err(|e| failed(&e))?;
    for row in reader.records() {
        let row = row.map_err(|e| failed(&e))?;
        if impossible(&row) {
            let fields = row.iter().enumerate().map(|(at, text)| if at == speed { "NA" } else { text });
            writer.write_record(fields).map_err(|e| failed(&e))?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    // Renamed into place, so that the connector never sees half a file.
    let part = to.with_extension("part");
    std::fs::write(&part, bytes).map_err(|e| failed(&e))?;
    std::fs::rename(&part, to).map_err(|e| failed(&e))
}
