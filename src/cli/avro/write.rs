//! `changtong avro write --schema FILE --out FILE`: lines of JSON as a container file.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter};
use std::path::PathBuf;

use changtong_connectors::avro::container::{Codec, any};
use clap::{Args, ValueEnum};

use super::super::failure::{Done, Failure};
use super::super::files::create;

#[derive(Debug, Args)]
pub struct Write {
    /// The schema, an .avsc file
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// The records, a line of JSON each; `-` is standard input. Values are written as `changtong avro show` prints them,
    /// a member that is left out is null
    #[arg(default_value = "-")]
    input: PathBuf,
    /// The file to make; one that is there is not overwritten
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// How its blocks are compressed
    #[arg(long, value_enum, default_value_t = Compression::Null)]
    codec: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compression {
    /// Not at all
    Null,
    Deflate,
}

pub fn run(write: &Write) -> Done {
    let at = |path: &PathBuf, error| Failure::Failed(format!("{}: {error}", path.display()));
    let schema = std::fs::read(&write.schema).map_err(|error| at(&write.schema, error))?;
    let mut lines: Box<dyn BufRead> = if write.input.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&write.input).map_err(|error| at(&write.input, error))?))
    };
    let codec = match write.codec {
        Compression::Null => Codec::Null,
        Compression::Deflate => Codec::Deflate,
    };
    let out = BufWriter::new(create(&write.out)?);
    match any::write(&schema, &mut *lines, codec, out) {
        Ok(1) => println!("{}: 1 record written", write.out.display()),
        Ok(records) => println!("{}: {records} records written", write.out.display()),
        Err(refusal) => {
            // It was made by this command, and is no file that anyone could use.
            std::fs::remove_file(&write.out).map_err(|error| at(&write.out, error))?;
            return Err(refusal.into());
        }
    }
    Ok(())
}
