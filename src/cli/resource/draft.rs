//! `changtong resource draft DATA`: a resource file guessed from data. Needs no server.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};

use changtong_connectors::source::infer;
use clap::Args;

use super::super::encoding::Encoding;
use super::super::failure::{Done, Failure};
use super::super::files::create;

#[derive(Debug, Args)]
pub struct Draft {
    /// A CSV file with a header row, or an NDJSON file
    data: PathBuf,
    /// Alias or credit code of the provider
    #[arg(long)]
    provider: String,
    /// Title of the resource; the file's name if not said
    #[arg(long)]
    title: Option<String>,
    /// Class code (信息资源分类代码)
    #[arg(long, default_value = "300000")]
    class: String,
    /// Encoding of the data
    #[arg(long, value_enum, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// Write the file here; to standard output if not said. An existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(draft: &Draft) -> Done {
    let text = guess(draft)?;
    let Some(path) = &draft.out else {
        print!("{text}");
        return Ok(());
    };
    let at = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut file = create(path)?;
    file.write_all(text.as_bytes()).map_err(at)?;
    println!("{}: look at every line, then `changtong resource apply {}`", path.display(), path.display());
    Ok(())
}

fn guess(draft: &Draft) -> Done<String> {
    let at = |reason: &dyn std::fmt::Display| Failure::Failed(format!("{}: {reason}", draft.data.display()));
    let file = File::open(&draft.data).map_err(|error| at(&error))?;
    let input = BufReader::new(draft.encoding.reader(file));
    let found = if is_ndjson(&draft.data) { infer::from_ndjson(input) } else { infer::from_csv(input) };
    let found = found.map_err(|refusal| at(&Failure::from(refusal)))?;
    let stem = draft.data.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let title = draft.title.clone().unwrap_or(stem);
    Ok(infer::to_toml(&found, &title, &draft.provider, &draft.class))
}

fn is_ndjson(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    matches!(extension.as_str(), "ndjson" | "jsonl" | "json")
}
