//! Where files read as Avro lie: in folders that follow each other by number, so that whoever reads one meets the records
//! of one view in one schema. `0002-new` begins with the start of another view, and what lies before it is over;
//! `0003-on` goes on where the folder before it ends, in another schema.

use std::fs::File;
use std::path::{Path, PathBuf};

use changtong_connectors::avro::container::Layout;

use super::super::failure::{Done, Failure};

pub(super) struct Folders {
    root: PathBuf,
    last: Option<Last>,
    /// Another view begins with the next file.
    anew: bool,
}

/// The folder with the highest number.
struct Last {
    number: u32,
    path: PathBuf,
    /// Of the files in it, if there is one.
    schema: Option<Vec<u8>>,
}

impl Folders {
    /// Goes on in the last of those that are there.
    pub fn open(root: &Path) -> Done<Self> {
        std::fs::create_dir_all(root).map_err(|error| unwritable(root, &error))?;
        let names = names(root)?;
        let numbered = names.iter().filter_map(|name| Some((number(name)?, name)));
        let last = match numbered.max() {
            Some((number, name)) => {
                let path = root.join(name);
                Some(Last { number, schema: schema_in(&path)?, path })
            }
            None => None,
        };
        Ok(Self { root: root.to_owned(), last, anew: false })
    }

    /// The server said that the view changed.
    pub fn anew(&mut self) {
        self.anew = true;
    }

    /// The folder for this file.
    pub fn of(&mut self, file: &[u8]) -> Done<&Path> {
        let schema = Layout::of(file)?.schema().to_vec();
        let last = match self.last.take() {
            // One that was made before the command was killed, and holds nothing.
            Some(last) if last.schema.is_none() && (last.is_new() || !self.anew) => last,
            Some(last) if !self.anew && last.schema.as_ref() == Some(&schema) => last,
            last => self.next(last.as_ref())?,
        };
        self.anew = false;
        Ok(&self.last.insert(Last { schema: Some(schema), ..last }).path)
    }

    fn next(&self, last: Option<&Last>) -> Done<Last> {
        let number = last.map_or(1, |last| last.number + 1);
        let kind = if self.anew || last.is_none() { NEW } else { ON };
        let path = self.root.join(format!("{number:04}-{kind}"));
        // Another command in the same place may have made it.
        std::fs::create_dir_all(&path)
            .and_then(|()| File::open(&self.root)?.sync_all())
            .map_err(|error| unwritable(&path, &error))?;
        Ok(Last { number, path, schema: None })
    }
}

const NEW: &str = "new";
const ON: &str = "on";

impl Last {
    fn is_new(&self) -> bool {
        self.path.to_string_lossy().ends_with(NEW)
    }
}

fn number(name: &str) -> Option<u32> {
    let (number, kind) = name.split_once('-')?;
    (number.len() >= 4 && [NEW, ON].contains(&kind)).then(|| number.parse().ok())?
}

/// The schema of the files in a folder, which is that of each.
fn schema_in(folder: &Path) -> Done<Option<Vec<u8>>> {
    let Some(name) =
        names(folder)?.into_iter().find(|name| name.ends_with(".avro") && !name.starts_with('.'))
    else {
        return Ok(None);
    };
    let path = folder.join(name);
    let file = std::fs::read(&path).map_err(|error| unwritable(&path, &error))?;
    let schema = Layout::of(&file).map(|layout| layout.schema().to_vec());
    schema.map(Some).map_err(|refusal| Failure::from(refusal).and(path.display()))
}

fn names(folder: &Path) -> Done<Vec<String>> {
    let names = |entries: std::fs::ReadDir| entries.map(|entry| Ok(entry?.file_name())).collect();
    let names: Result<Vec<_>, std::io::Error> = std::fs::read_dir(folder).and_then(names);
    let names = names.map_err(|error| unwritable(folder, &error))?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use changtong_connectors::avro::container::head;

    use super::*;

    fn file(schema: &str) -> Vec<u8> {
        head(schema.as_bytes(), [7; 16])
    }

    /// Keeps a file, and answers where.
    fn keep(folders: &mut Folders, schema: &str) -> String {
        let folder = folders.of(&file(schema)).unwrap().to_owned();
        let names = std::fs::read_dir(&folder).unwrap().count();
        std::fs::write(folder.join(format!("{names}.avro")), file(schema)).unwrap();
        folder.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn each_folder_has_one_view_in_one_schema() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("in/there");
        let mut folders = Folders::open(&path).unwrap();
        assert_eq!(keep(&mut folders, "\"int\""), "0001-new");
        assert_eq!(keep(&mut folders, "\"int\""), "0001-new");
        assert_eq!(keep(&mut folders, "\"long\""), "0002-on");
        folders.anew();
        assert_eq!(keep(&mut folders, "\"long\""), "0003-new", "the same schema, another view");
        // The next command goes on in the last one.
        let mut folders = Folders::open(&path).unwrap();
        assert_eq!(keep(&mut folders, "\"long\""), "0003-new");
        assert_eq!(keep(&mut folders, "\"int\""), "0004-on");
        let mut folders = Folders::open(&path).unwrap();
        folders.anew();
        assert_eq!(keep(&mut folders, "\"int\""), "0005-new");
        let mut names = names(&path).unwrap();
        names.sort_unstable();
        assert_eq!(names, ["0001-new", "0002-on", "0003-new", "0004-on", "0005-new"]);
    }

    #[test]
    fn a_folder_that_was_made_and_not_filled_is_used() {
        let root = tempfile::tempdir().unwrap();
        for (made, anew, used) in
            [("0001-new", false, "0001-new"), ("0007-new", true, "0007-new"), ("0008-on", true, "0009-new")]
        {
            std::fs::create_dir(root.path().join(made)).unwrap();
            let mut folders = Folders::open(root.path()).unwrap();
            if anew {
                folders.anew();
            }
            assert_eq!(keep(&mut folders, "\"int\""), used);
        }
    }

    #[test]
    fn what_is_not_ours_is_no_folder_of_files() {
        let root = tempfile::tempdir().unwrap();
        for other in ["9-new", "0009-other", "new", "0009"] {
            std::fs::create_dir(root.path().join(other)).unwrap();
        }
        assert_eq!(keep(&mut Folders::open(root.path()).unwrap(), "\"int\""), "0001-new");
    }
}
