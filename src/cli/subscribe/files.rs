//! Reads as Avro: each answer is a container file of its own, in the folder of its view (`folders.rs`), whole or not there. It is
//! written before it is acknowledged, so none is lost; a command that is killed between the two gets its records again
//! in a later file, and they are known by their ids.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use changtong_catalog::ids::WindowId;
use tempfile::Builder;

use super::super::failure::Done;
use super::folders::{Folders, unwritable};
use super::read::{moved, recover};
use crate::client::{CallError, Client, Reading};

pub async fn run(client: &Client, mut reading: Reading, folder: &Path, follow: bool) -> Done {
    let mut folders = Folders::open(folder)?;
    let (mut tries, mut files) = (0, 0_u64);
    loop {
        let (file, answered) = match client.deliver_file(&reading).await {
            Ok(answer) => answer,
            Err(error) => {
                if matches!(&error, CallError::Refused(problem) if problem.code == "view_changed") {
                    folders.anew();
                }
                recover(error, &mut reading, &mut tries).await?;
                continue;
            }
        };
        tries = 0;
        // Without a window there is no record in it.
        if let Some(window) = &answered.window {
            keep(folders.of(&file)?, window, &file)?;
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

/// Files of a window follow each other by number; windows do by their ids. No file is ever written over, also not by
/// another command in the same folder.
fn keep(folder: &Path, window: &str, bytes: &[u8]) -> Done {
    // It comes from the server and becomes part of a path.
    let window: WindowId = window.parse()?;
    let growing =
        Builder::new().prefix(".growing-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder);
    let mut growing = growing.map_err(|error| unwritable(folder, &error))?;
    let written = growing.write_all(bytes).and_then(|()| growing.as_file().sync_all());
    written.map_err(|error| unwritable(growing.path(), &error))?;
    for number in 1.. {
        let path = folder.join(format!("{window}-{number:04}.avro"));
        match growing.persist_noclobber(&path) {
            Ok(_) => break,
            Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => growing = taken.file,
            Err(failed) => return Err(unwritable(&path, &failed.error)),
        }
    }
    // Its name too must be there after a loss of power: then it is acknowledged.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: &str = "019e807a-ec00-7e55-b2fb-eea21f7cded5";

    #[test]
    fn no_file_is_written_over_and_none_is_half() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [b"one", b"two"] {
            keep(folder.path(), WINDOW, bytes).unwrap();
        }
        let name = |number: u32| folder.path().join(format!("{WINDOW}-{number:04}.avro"));
        assert_eq!(std::fs::read(name(1)).unwrap(), b"one");
        assert_eq!(std::fs::read(name(2)).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_is_no_window_becomes_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for window in ["../outside", "/tmp/outside", "w"] {
            assert!(keep(&inner, window, b"x").is_err(), "{window}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 0);
    }
}
