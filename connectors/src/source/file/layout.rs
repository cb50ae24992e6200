//! What the columns of a CSV file are: items by name or title, columns mapped or left out.

use changtong_catalog::error::Refusal;

use super::refusals;
use super::spec::FileSourceSpec;
use crate::avro::Plan;

/// How a file's rows become rows of a publish.
pub(super) struct Layout {
    /// Per column of the file: left out, or kept, where a null spelling may stand.
    pub columns: Vec<Column>,
    /// The header row of each body.
    pub header: Vec<u8>,
    pub delimiter: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Ignored,
    /// An item that may be null, and the operation column.
    Nullable,
    Required,
}

impl Layout {
    pub fn of(header: &str, plan: &Plan, spec: &FileSourceSpec, label: &str) -> Result<Self, Refusal> {
        let delimiter = u8::try_from(spec.delimiter).unwrap_or(b',');
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(header.as_bytes());
        let mut row = csv::StringRecord::new();
        reader.read_record(&mut row).map_err(|_| refusals::unparsable(label, 1))?;
        let (mut columns, mut names) = (Vec::new(), csv::StringRecord::new());
        for (at, title) in row.iter().map(str::trim).enumerate() {
            if spec.ignore.iter().any(|ignored| ignored == title) {
                columns.push(Column::Ignored);
                continue;
            }
            let name = spec.columns.get(title).map_or(title, String::as_str);
            let item = plan.index(name).or_else(|| plan.index_of_title(name));
            let nullable = match item {
                Some(item) => plan.fields[item].nullable,
                None if name == "$op" => true,
                None => return Err(refusals::no_such_column(label, at + 1)),
            };
            columns.push(if nullable { Column::Nullable } else { Column::Required });
            names.push_field(item.map_or(name, |item| plan.fields[item].name()));
        }
        let mut header = csv::Writer::from_writer(Vec::new());
        header.write_record(&names).map_err(|_| refusals::unparsable(label, 1))?;
        let header = header.into_inner().map_err(|_| refusals::fault())?;
        Ok(Self { columns, header, delimiter })
    }
}
