//! The one folder whose files connectors may touch: every path is relative to it, is made of plain names, and no part
//! of it may be a symbolic link.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use changtong_catalog::error::{Code, Refusal};
use rustix::fs::OFlags;

/// Opening waits for no other end.
const NO_WAITING: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// What a file is, whatever path leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// The declared root (`connectors.root`).
#[derive(Clone)]
pub struct Root {
    dir: Arc<Dir>,
    path: PathBuf,
    /// What people call it.
    name: Option<String>,
}

impl Root {
    /// Opens the folder; it is made if it is missing.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let opened = std::fs::create_dir_all(path)
            .and_then(|()| path.canonicalize())
            .and_then(|path| Ok((Dir::open_ambient_dir(&path, ambient_authority())?, path)));
        let (dir, path) = opened.map_err(|error| unreadable(&path.display().to_string(), &error))?;
        Ok(Self { dir: Arc::new(dir), path, name: None })
    }

    /// People are told this name instead of the folder's path, which is a matter of the machine.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A path below it, for people.
    pub(crate) fn shown(&self, relative: &str) -> String {
        let folder = self.name.clone().unwrap_or_else(|| self.path.display().to_string());
        format!("{folder}/{relative}")
    }

    /// Whether the folder that the path or pattern lies in is there.
    pub(crate) fn has_folder_of(&self, relative: &str) -> bool {
        match Path::new(relative).parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => self.dir.is_dir(folder),
            None => self.path.is_dir(),
        }
    }

    /// Refuses what is absolute, climbs, or goes through a link.
    pub fn check(&self, relative: &str) -> Result<PathBuf, Refusal> {
        let path = plain(relative)?;
        let mut walked = PathBuf::new();
        for part in path.components() {
            walked.push(part);
            if self.dir.symlink_metadata(&walked).is_ok_and(|found| found.is_symlink()) {
                return Err(outside(relative));
            }
        }
        Ok(path)
    }

    pub fn read(&self, relative: &str) -> Result<File, Refusal> {
        self.open_file(relative, OpenOptions::new().read(true))
    }

    pub(crate) fn open_with(&self, relative: &str, how: &OpenOptions) -> Result<File, Refusal> {
        let path = self.check(relative)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            self.dir.create_dir_all(folder).map_err(|error| unreadable(relative, &error))?;
        }
        self.open_file(relative, &mut how.clone())
    }

    /// Waits for nobody: a named pipe would wait for its other end, for ever, and a device may act on being opened.
    fn open_file(&self, relative: &str, how: &mut OpenOptions) -> Result<File, Refusal> {
        let path = self.check(relative)?;
        let failed = |error: io::Error| unreadable(relative, &error);
        if self.dir.symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(no_file(relative));
        }
        // Something else may have been put in its place since.
        let file = self.dir.open_with(&path, how.custom_flags(NO_WAITING)).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(no_file(relative));
        }
        Ok(file)
    }

    /// What lies there, unless nothing does or no file. Nothing is opened.
    pub(crate) fn look(&self, relative: &str) -> Result<Option<Metadata>, Refusal> {
        match self.dir.symlink_metadata(self.check(relative)?) {
            Ok(found) => Ok(found.is_file().then_some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(relative, &error)),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Refusal> {
        let (old, new) = (self.check(from)?, self.check(to)?);
        self.dir.rename(&old, &self.dir, &new).map_err(|error| unreadable(to, &error))?;
        // The name itself is on disk only when its folder is.
        let folder = new.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = self.dir.open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| unreadable(to, &error))
    }

    /// An empty file, unless something is there.
    pub(crate) fn make_if_missing(&self, relative: &str) -> Result<(), Refusal> {
        let path = self.check(relative)?;
        match self.dir.open_with(&path, OpenOptions::new().write(true).create_new(true)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(unreadable(relative, &error)),
            _ => Ok(()),
        }
    }

    /// Which file lies there; a link or anything else that is no file is refused. Nothing is opened.
    pub(crate) fn file_id(&self, relative: &str) -> Result<FileId, Refusal> {
        let found = self.dir.symlink_metadata(self.check(relative)?);
        let found = found.map_err(|error| unreadable(relative, &error))?;
        if !found.is_file() {
            return Err(outside(relative));
        }
        Ok(FileId { device: found.dev(), inode: found.ino() })
    }

    /// The place itself, for a library that opens files by path. Checked, but not held: a link made afterwards is
    /// followed, so whoever opens it looks at what was opened (`sink/sql/opened.rs`).
    pub(crate) fn absolute(&self, relative: &str) -> Result<PathBuf, Refusal> {
        Ok(self.path.join(self.check(relative)?))
    }

    /// The files that a path, a folder, or a pattern (`*` and `?` in its last part) means, in the order in which they
    /// are read: by stem, then by name, so that `day.csv` comes before `day-2.csv`.
    pub fn matching(&self, pattern: &str) -> Result<Vec<String>, Refusal> {
        let path = self.check(pattern)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !name.contains(['*', '?']) {
            return match self.dir.metadata(&path) {
                Ok(found) if found.is_dir() => self.listed(&path, "*"),
                Ok(found) if found.is_file() => Ok(vec![pattern.to_owned()]),
                Ok(_) => Err(no_file(pattern)),
                // A file that is not there yet is waited for.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(unreadable(pattern, &error)),
            };
        }
        self.listed(&folder, &name)
    }

    fn listed(&self, folder: &Path, pattern: &str) -> Result<Vec<String>, Refusal> {
        let shown = folder.display().to_string();
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = match self.dir.read_dir(place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(&shown, &error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&shown, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&shown, &error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if kind.is_file() && !name.starts_with('.') && fits(pattern.as_bytes(), name.as_bytes()) {
                found.push(folder.join(name).to_string_lossy().into_owned());
            }
        }
        found.sort_by_cached_key(|path| turn_of(path));
        Ok(found)
    }
}

/// What the files of a folder are ordered by: stem, then name.
pub(crate) fn turn_of(path: &str) -> (String, String) {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    (text(Path::new(path).file_stem()), text(Path::new(path).file_name()))
}

/// `*` stands for any characters, `?` for one.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, name) || name.split_first().is_some_and(|(_, tail)| fits(pattern, tail))
        }
        (Some((b'?', rest)), Some((_, tail))) => fits(rest, tail),
        (Some((wanted, rest)), Some((found, tail))) => wanted == found && fits(rest, tail),
        _ => false,
    }
}

/// A relative path of plain names.
pub(crate) fn plain(relative: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(relative);
    let good = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !good || path.as_os_str().is_empty() || relative.contains('\0') {
        return Err(outside(relative));
    }
    Ok(path)
}

pub(crate) fn outside(path: &str) -> Refusal {
    Refusal::new(
        Code::PathOutsideRoot,
        format!("路径 {path} 不在 connectors.root 之内:应为相对路径,不含“..”,也不经过符号链接"),
        format!(
            "the path {path} leaves connectors.root: name it relative to that folder, without `..` or links"
        ),
    )
    .with("path", path)
}

fn no_file(path: &str) -> Refusal {
    Refusal::new(
        Code::FileUnreadable,
        format!("{path} 不是普通文件(而是管道、设备、套接字或文件夹);请放入普通文件"),
        format!("{path} is no regular file (a pipe, a device, a socket or a folder): put a file there"),
    )
    .with("path", path)
}

pub(crate) fn unreadable(path: &str, error: &io::Error) -> Refusal {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::FileUnreadable,
    };
    Refusal::new(
        code,
        format!("文件 {path} 无法读写({})", error.kind()),
        format!("the file {path} cannot be read or written ({})", error.kind()),
    )
    .with("path", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    #[test]
    fn what_leaves_the_root_is_refused() {
        let (folder, root) = root();
        std::fs::write(folder.path().join("a.csv"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("a.csv", folder.path().join("b.csv")).unwrap();
        for path in ["/etc/passwd", "../a.csv", "x/../../a.csv", "", "etc/passwd", "b.csv", "a\0.csv"] {
            assert_eq!(root.read(path).map(drop).unwrap_err().code, Code::PathOutsideRoot, "{path:?}");
        }
        root.read("a.csv").unwrap();
    }

    /// A pipe that nobody writes to would hold up whoever opens it for ever.
    #[test]
    fn what_is_no_file_is_refused_and_waited_for_by_nobody() {
        let (folder, root) = root();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.csv")).status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket.csv")).unwrap();
        std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
        std::fs::write(folder.path().join("a.csv"), "x").unwrap();
        let writing = OpenOptions::new().read(true).write(true).create(true).clone();
        let appending = OpenOptions::new().append(true).clone();
        for path in ["pipe.csv", "socket.csv", "folder.csv"] {
            let opened = [root.read(path), root.open_with(path, &writing), root.open_with(path, &appending)];
            for refused in opened {
                let refused = refused.map(drop).unwrap_err();
                assert_eq!(refused.code, Code::FileUnreadable, "{path}");
                assert!(refused.text.en.starts_with(path) && refused.text.zh.starts_with(path));
            }
            assert!(root.look(path).unwrap().is_none());
        }
        for path in ["pipe.csv", "socket.csv"] {
            assert_eq!(root.matching(path).unwrap_err().code, Code::FileUnreadable, "{path}");
        }
        assert_eq!(root.matching("*.csv").unwrap(), ["a.csv"]);
    }

    /// The same behind the look at it.
    #[test]
    fn a_pipe_put_in_its_place_meanwhile_is_waited_for_by_nobody() {
        use std::sync::atomic::{AtomicBool, Ordering};

        let (folder, root) = root();
        let stop = Arc::new(AtomicBool::new(false));
        let inside = folder.path().to_owned();
        let made = std::process::Command::new("mkfifo").arg(inside.join("pipe")).status();
        assert!(made.unwrap().success());
        let swapping = std::thread::spawn({
            let stop = stop.clone();
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::write(inside.join("new"), "inside").unwrap();
                    std::fs::rename(inside.join("new"), inside.join("a.csv")).unwrap();
                    std::fs::hard_link(inside.join("pipe"), inside.join("new")).unwrap();
                    std::fs::rename(inside.join("new"), inside.join("a.csv")).unwrap();
                }
            }
        });
        let (mut opened, mut refused) = (0, 0);
        while opened < 500 || refused < 500 {
            match root.read("a.csv") {
                Ok(file) => {
                    assert!(file.metadata().unwrap().is_file());
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
    }

    /// Between the look at a path and its opening somebody puts a link in its place: what is read then is the file that
    /// was there, or nothing.
    #[test]
    fn a_link_put_in_its_place_meanwhile_leads_nowhere() {
        use std::io::Read as _;
        use std::sync::atomic::{AtomicBool, Ordering};

        let (folder, root) = root();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("a.csv"), "outside").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let swapping = std::thread::spawn({
            let (stop, inside, target) =
                (stop.clone(), folder.path().to_owned(), outside.path().join("a.csv"));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::write(inside.join("new"), "inside").unwrap();
                    std::fs::rename(inside.join("new"), inside.join("a.csv")).unwrap();
                    std::os::unix::fs::symlink(&target, inside.join("new")).unwrap();
                    std::fs::rename(inside.join("new"), inside.join("a.csv")).unwrap();
                }
            }
        });
        let (mut inside, mut refused) = (0, 0);
        while inside < 200 || refused < 200 {
            let mut text = String::new();
            match root.read("a.csv") {
                Ok(mut file) => {
                    file.read_to_string(&mut text).unwrap();
                    assert_eq!(text, "inside");
                    inside += 1;
                }
                Err(_) => refused += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
    }

    #[test]
    fn a_path_a_folder_and_a_pattern_name_files_in_order_and_no_links() {
        let (folder, root) = root();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        for name in ["day.csv", "day-2.csv", "day-10.csv", "other.txt", ".hidden.csv"] {
            std::fs::write(folder.path().join("in").join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("day.csv", folder.path().join("in/day-3.csv")).unwrap();
        assert_eq!(root.matching("in/day*.csv").unwrap(), ["in/day.csv", "in/day-10.csv", "in/day-2.csv"]);
        assert_eq!(root.matching("in/day-?.csv").unwrap(), ["in/day-2.csv"]);
        assert_eq!(root.matching("in").unwrap().len(), 4);
        assert_eq!(root.matching("in/day.csv").unwrap(), ["in/day.csv"]);
        assert!(root.matching("later.csv").unwrap().is_empty());
        assert!(root.matching("later/*.csv").unwrap().is_empty());
    }
}
