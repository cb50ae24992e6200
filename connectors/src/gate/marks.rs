//! `DATA/marks`: what the store knew a second ago, noted outside of it (protocol.md 4). A store behind its marks was
//! restored from an older copy; then nothing may be settled, as what it does not know may have been acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::{Generation, ResourceNumber};
use changtong_catalog::visibility::PartitionView;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::replaced;
use crate::commit::TopicKey;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Noted {
    pub epoch: i64,
    /// By `number.generation`: per partition `settled` and the last run's end.
    topics: BTreeMap<String, Vec<(i64, i64)>>,
    /// By the same, what tells a topic that was replaced.
    #[serde(default)]
    looks: BTreeMap<String, replaced::Noted>,
    /// Of a store that went back while this server ran, by the same and by partition what counted before: marks alone
    /// would not tell, where other records were committed since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counted: BTreeMap<String, Vec<Vec<Range<i64>>>>,
}

/// What was noted last, and whether the file is known to hold it.
#[derive(Default)]
struct Written {
    noted: Noted,
    on_disk: bool,
}

/// The file and what it holds.
pub(super) struct Marks {
    path: PathBuf,
    epoch: i64,
    written: Mutex<Written>,
    /// The store is older than what the file says, which stays.
    kept: AtomicBool,
}

impl Marks {
    pub fn new(path: PathBuf, epoch: i64) -> Self {
        Self { path, epoch, written: Mutex::default(), kept: AtomicBool::new(false) }
    }

    /// Whether the store is behind what was noted. A file that can't be read as marks is an error, not a yes or no.
    pub async fn is_store_older<'a>(
        &self,
        views: impl Iterator<Item = (TopicKey, &'a [PartitionView])>,
    ) -> Result<bool, Refusal> {
        let Some(noted) = noted(&self.path).await? else { return Ok(false) };
        let views: BTreeMap<String, &[PartitionView]> =
            views.map(|(key, views)| (name_of(key), views)).collect();
        // Every start takes a higher epoch than was ever noted; one given out again was given out by an older store.
        let older = noted.epoch >= self.epoch || is_behind(&noted, &views);
        self.kept.store(older, Ordering::Release);
        *self.written.lock() = Written { noted, on_disk: true };
        Ok(older)
    }

    /// The store went back while this server ran: notes what counted before, once.
    pub async fn keep_counted<'a>(
        &self,
        views: impl Iterator<Item = (TopicKey, &'a [PartitionView])>,
    ) -> Result<(), Refusal> {
        if self.kept.load(Ordering::Acquire) {
            return Ok(());
        }
        let views: Vec<(TopicKey, &[PartitionView])> = views.collect();
        let counting = |view: &PartitionView| view.counting(0, view.known_end());
        let counted = views.iter().map(|(key, views)| (name_of(*key), views.iter().map(counting).collect()));
        let counted = counted.collect();
        let looks = self.written.lock().noted.looks.clone();
        self.store(&Noted { counted, looks, ..self.note(views.into_iter()) }).await?;
        self.kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Notes where the store stands.
    pub async fn write<'a>(
        &self,
        views: impl Iterator<Item = (TopicKey, &'a [PartitionView])>,
        looks: BTreeMap<TopicKey, replaced::Noted>,
    ) -> Result<(), Refusal> {
        let looks = looks.into_iter().map(|(key, noted)| (name_of(key), noted)).collect();
        let noted = Noted { looks, ..self.note(views) };
        {
            let mut written = self.written.lock();
            if written.on_disk && written.noted == noted {
                return Ok(());
            }
            *written = Written { noted: noted.clone(), on_disk: false };
        }
        self.store(&noted).await?;
        self.written.lock().on_disk = true;
        Ok(())
    }

    async fn store(&self, noted: &Noted) -> Result<(), Refusal> {
        let path = self.path.clone();
        let bytes = serde_json::to_vec(noted).map_err(|error| unwritable(&path, &error.to_string()))?;
        let stored = tokio::task::spawn_blocking(move || replace(&path, &bytes)).await;
        let stored = stored.unwrap_or_else(|error| Err(io::Error::other(error)));
        stored.map_err(|error| unwritable(&self.path, &error.to_string()))
    }

    /// What tells topics that were replaced, as an earlier server noted it.
    pub fn looks(&self) -> HashMap<TopicKey, replaced::Noted> {
        let looks = self.written.lock().noted.looks.clone();
        looks.into_iter().filter_map(|(name, noted)| Some((key_named(&name)?, noted))).collect()
    }

    /// Topics noted before and not loaded since keep their marks.
    fn note<'a>(&self, views: impl Iterator<Item = (TopicKey, &'a [PartitionView])>) -> Noted {
        let mut topics = self.written.lock().noted.topics.clone();
        topics.extend(views.map(|(key, partitions)| {
            let marks = partitions.iter().map(|view| (view.settled, view.known_end())).collect();
            (name_of(key), marks)
        }));
        Noted { epoch: self.epoch, topics, ..Noted::default() }
    }
}

fn name_of((number, generation): TopicKey) -> String {
    format!("{number}.{generation}")
}

fn key_named(name: &str) -> Option<TopicKey> {
    let (number, generation) = name.split_once('.')?;
    Some((ResourceNumber(number.parse().ok()?), Generation(generation.parse().ok()?)))
}

/// What the file says; `None` if there is none.
pub(super) async fn noted(path: &Path) -> Result<Option<Noted>, Refusal> {
    match tokio::fs::read(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error.to_string())),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(path, &error.to_string()))
        }
    }
}

fn is_behind(noted: &Noted, store: &BTreeMap<String, &[PartitionView]>) -> bool {
    let stored = |topic: &str, partitions: usize| {
        store.get(topic).copied().filter(|stored| stored.len() >= partitions)
    };
    let marks = noted.topics.iter().any(|(topic, marks)| {
        let Some(stored) = stored(topic, marks.len()) else { return true };
        let mut marks = marks.iter().zip(stored);
        marks.any(|((settled, end), stored)| *settled > stored.settled || *end > stored.known_end())
    });
    let counted = noted.counted.iter().any(|(topic, counted)| {
        let Some(stored) = stored(topic, counted.len()) else { return true };
        counted.iter().zip(stored).any(|(counted, stored)| stored.lacks(counted))
    });
    marks || counted
}

/// Atomically: what was there, or the whole of what is new.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, bytes)?;
    std::fs::File::open(&fresh)?.sync_data()?;
    std::fs::rename(&fresh, path)?;
    // The name itself is on disk only when its folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

fn unreadable(path: &Path, error: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        format!("无法读取 {}:{error};若确知数据库未被回退,请移走该文件", path.display()),
        format!(
            "{} cannot be read: {error}; move it away if the store surely was not restored",
            path.display()
        ),
    )
}

pub(super) fn unwritable(path: &Path, error: &str) -> Refusal {
    Refusal::new(
        Code::StorageFull,
        format!("无法写入 {}:{error}", path.display()),
        format!("{} cannot be written: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(settled: i64) -> [(TopicKey, Vec<PartitionView>); 1] {
        let view = PartitionView { settled, runs: vec![] };
        [((ResourceNumber(1), Generation(1)), vec![view; 2])]
    }

    fn iter(store: &[(TopicKey, Vec<PartitionView>)]) -> impl Iterator<Item = (TopicKey, &[PartitionView])> {
        store.iter().map(|(key, views)| (*key, views.as_slice()))
    }

    #[tokio::test]
    async fn a_store_behind_its_marks_is_older() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        let marks = Marks::new(path.clone(), 4);
        assert!(!marks.is_store_older(iter(&store(0))).await.unwrap(), "no marks, nothing to be older than");
        marks.write(iter(&store(10)), BTreeMap::new()).await.unwrap();
        let next = |epoch| Marks::new(path.clone(), epoch);
        assert!(!next(5).is_store_older(iter(&store(10))).await.unwrap());
        assert!(!next(5).is_store_older(iter(&store(11))).await.unwrap());
        assert!(next(5).is_store_older(iter(&store(9))).await.unwrap());
        assert!(next(5).is_store_older(iter(&[])).await.unwrap(), "a store that lost the topic");
        for again in [3, 4] {
            assert!(next(again).is_store_older(iter(&store(10))).await.unwrap(), "an epoch given out again");
        }
    }

    /// A server that could not write for a while, and then found its store to be an earlier one.
    #[tokio::test]
    async fn what_could_not_be_written_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data").join("marks");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let other = [((ResourceNumber(2), Generation(1)), store(20)[0].1.clone())];
        let looks = || -> BTreeMap<TopicKey, replaced::Noted> {
            let look = serde_json::json!({ "at": "2026-06-01T00:00:00Z", "first": [1, 2] });
            BTreeMap::from([(other[0].0, serde_json::from_value(look).unwrap())])
        };
        let marks = Marks::new(path.clone(), 4);
        marks.write(iter(&other), looks()).await.unwrap();
        std::fs::rename(path.parent().unwrap(), dir.path().join("away")).unwrap();
        marks.write(iter(&store(10)), looks()).await.unwrap_err();
        std::fs::rename(dir.path().join("away"), path.parent().unwrap()).unwrap();
        marks.keep_counted(iter(&store(10))).await.unwrap();

        let both = |first, second| [store(first), [(other[0].0, store(second)[0].1.clone())]].concat();
        let next = |epoch| Marks::new(path.clone(), epoch);
        assert!(!next(5).is_store_older(iter(&both(10, 20))).await.unwrap());
        assert!(next(4).is_store_older(iter(&both(10, 20))).await.unwrap(), "an epoch given out again");
        assert!(next(5).is_store_older(iter(&both(9, 20))).await.unwrap());
        assert!(next(5).is_store_older(iter(&both(10, 19))).await.unwrap(), "of what is over");
        let kept = next(5);
        kept.is_store_older(iter(&both(10, 20))).await.unwrap();
        assert_eq!(kept.looks().len(), 1);
    }

    /// The next second writes what the last one could not.
    #[tokio::test]
    async fn what_could_not_be_written_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data").join("marks");
        let marks = Marks::new(path.clone(), 4);
        marks.write(iter(&store(10)), BTreeMap::new()).await.unwrap_err();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        marks.write(iter(&store(10)), BTreeMap::new()).await.unwrap();
        assert!(Marks::new(path.clone(), 5).is_store_older(iter(&store(9))).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_not_loaded_keeps_its_marks_and_rubbish_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        Marks::new(path.clone(), 1).write(iter(&store(10)), BTreeMap::new()).await.unwrap();
        let marks = Marks::new(path.clone(), 2);
        assert!(!marks.is_store_older(iter(&store(10))).await.unwrap());
        marks.write(iter(&[]), BTreeMap::new()).await.unwrap();
        assert!(Marks::new(path.clone(), 3).is_store_older(iter(&store(9))).await.unwrap());
        std::fs::write(&path, "{").unwrap();
        Marks::new(path, 3).is_store_older(iter(&store(10))).await.unwrap_err();
    }
}
