//! Reads as Avro: each answer is a container file of its own, in the folder it is asked for, whole or not there. It is
//! written before it is acknowledged, so none is lost; a command that is killed between the two gets its records again
//! in a later file, and they are known by their ids.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::super::failure::{Done, Failure};
use super::read::{moved, recover};
use crate::client::{Client, Reading};

pub async fn run(client: &Client, mut reading: Reading, folder: &Path, follow: bool) -> Done {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let (mut tries, mut files) = (0, 0_u64);
    loop {
        let (file, answered) = match client.deliver_file(&reading).await {
            Ok(answer) => answer,
            Err(error) => {
                recover(error, &mut reading, &mut tries).await?;
                continue;
            }
        };
        tries = 0;
        // Without a window there is no record in it.
        if let Some(window) = &answered.window {
            keep(folder, window, &file)?;
            files += 1;
        }
        let end = answered.window.is_none() && reading.cursor.as_ref() == Some(&answered.next) && !follow;
        if answered.window.is_some() || moved(&reading, &answered) {
            client.acknowledge(&reading.subscription, &answered).await?;
        }
        if end {
            let noun = if files == 1 { "file" } else { "files" };
            eprintln!("{files} {noun} in {}; everything there is has been read", folder.display());
            return Ok(());
        }
        reading.cursor = Some(answered.next);
    }
}

/// Files of a window follow each other by number; windows do by their ids. No file is ever written over.
fn keep(folder: &Path, window: &str, bytes: &[u8]) -> Done {
    let growing = folder.join(".growing");
    let written = File::create(&growing).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| unwritable(&growing, &error))?;
    let mut names = (1..).map(|number| folder.join(format!("{window}-{number:04}.avro")));
    let path = names.find(|path| !path.exists()).unwrap_or_default();
    std::fs::rename(&growing, &path).map_err(|error| unwritable(&path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_written_over_and_none_is_half() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [b"one", b"two"] {
            keep(folder.path(), "w", bytes).unwrap();
        }
        assert_eq!(std::fs::read(folder.path().join("w-0001.avro")).unwrap(), b"one");
        assert_eq!(std::fs::read(folder.path().join("w-0002.avro")).unwrap(), b"two");
        assert!(!folder.path().join(".growing").exists());
    }
}
