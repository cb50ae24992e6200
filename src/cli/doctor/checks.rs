//! What is checked on this machine alone: folders, room on the disk, keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::settings::Settings;

/// Less free room than this is worth a look, and less than the second is wrong: SQLite and Kafka stop on a full disk.
const LITTLE: u64 = 2 << 30;
const TOO_LITTLE: u64 = 256 << 20;

pub fn data(settings: &Settings, findings: &mut Vec<Finding>) {
    let dir = &settings.data.dir;
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.push(Finding::good(
                "data folder",
                format!("{shown} is not there yet; the first start makes it"),
            ));
        }
        Err(error) => findings.push(Finding::wrong(
            "data folder",
            format!("{shown}: {error}"),
            "let this user read it, or set data.dir",
        )),
        Ok(found) if !found.is_dir() => {
            findings.push(Finding::wrong("data folder", format!("{shown} is no folder"), "set data.dir"));
        }
        Ok(_) => match tempfile::tempfile_in(dir) {
            Ok(_) => findings.push(Finding::good("data folder", shown.to_string())),
            Err(error) => findings.push(Finding::wrong(
                "data folder",
                format!("{shown} cannot be written: {error}"),
                "let this user write it, or set data.dir",
            )),
        },
    }
    room(dir, findings);
}

fn room(dir: &Path, findings: &mut Vec<Finding>) {
    let there =
        dir.ancestors().find(|folder| folder.exists()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let Ok(disk) = rustix::fs::statvfs(&there) else {
        findings.push(Finding::doubtful("disk", "its free room is not told", "look at it yourself"));
        return;
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} MiB free under {}", free >> 20, there.display());
    findings.push(match free {
        ..TOO_LITTLE => Finding::wrong("disk", found, "make room, or move data.dir to another disk"),
        TOO_LITTLE..LITTLE => Finding::doubtful("disk", found, "make room before it is full"),
        _ => Finding::good("disk", found),
    });
}

pub fn keys(settings: &Settings, findings: &mut Vec<Finding>) {
    let dir = settings.keys.dir.clone().unwrap_or_else(|| settings.data.dir.join("keys"));
    let shown = dir.display();
    let Ok(found) = fs::metadata(&dir) else {
        findings
            .push(Finding::good("key folder", format!("{shown} is not there yet; the first start makes it")));
        return;
    };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        findings.push(Finding::wrong(
            "key folder",
            format!("{shown} has mode {mode:o}: others can read key material"),
            format!("chmod 700 {shown}"),
        ));
    } else if settings.keys.dir.is_none() && settings.database.url.is_some() {
        findings.push(Finding::doubtful(
            "key folder",
            format!("{shown} lies in the data folder"),
            "set keys.dir, and back it up apart from the database",
        ));
    } else {
        findings.push(Finding::good("key folder", shown.to_string()));
    }
}
