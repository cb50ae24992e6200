//! SQLite opens a file by its path, and would follow a link that somebody puts there after it was looked at. So what it
//! says it opened, and what the process holds open, is compared with what lies below the root before anything is written.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use changtong_catalog::error::Refusal;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::refusals::database;
use crate::root::{FileId, Root, outside, unreadable};

const OPEN_FILES: &str = "/proc/self/fd";

/// Connects to the file of that path below the root, and to no other. The options must name its place and write nothing.
pub(super) async fn connect(
    root: &Root,
    path: &str,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, Refusal> {
    root.make_if_missing(path)?;
    // What is no file is not even opened.
    root.file_id(path)?;
    let mut connection = SqliteConnection::connect_with(options).await.map_err(database)?;
    // Links that it went through are no longer in the name.
    let named = sqlx::query_scalar::<_, String>("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let named = named.fetch_one(&mut connection).await.map_err(database)?;
    // Asked behind the opening: to open a file for writing may give it another number (overlayfs).
    let wanted = root.file_id(path)?;
    let same = Path::new(&named) == root.absolute(path)? && open_files()?.contains(&wanted);
    if same { Ok(connection) } else { Err(outside(path)) }
}

/// Looking opens none of them: to close one would take away the locks that another connection of the process holds.
fn open_files() -> Result<BTreeSet<FileId>, Refusal> {
    let entries = std::fs::read_dir(OPEN_FILES).map_err(|error| unreadable(OPEN_FILES, &error))?;
    // Those that are closed meanwhile are none of ours.
    let found = entries.flatten().filter_map(|entry| {
        let file = std::fs::metadata(entry.path()).ok()?;
        Some(FileId { device: file.dev(), inode: file.ino() })
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use changtong_catalog::error::Code;

    use super::*;

    fn options(root: &Root) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(root.absolute("c.db").unwrap()).create_if_missing(false)
    }

    #[tokio::test]
    async fn a_file_that_is_there_or_not_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for _ in 0..2 {
            let mut connection = connect(&root, "c.db", &options(&root)).await.unwrap();
            let made =
                sqlx::query("CREATE TABLE IF NOT EXISTS copy (n INTEGER)").execute(&mut connection).await;
            made.unwrap();
        }
    }

    /// Somebody swaps the file and a link to a database elsewhere all the time: that one is never connected to.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_link_put_in_its_place_meanwhile_leads_nowhere() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::open(folder.path()).unwrap();
        let target = elsewhere.path().join("c.db");
        let other = SqliteConnectOptions::new().filename(&target).create_if_missing(true);
        let mut other = SqliteConnection::connect_with(&other).await.unwrap();
        sqlx::query("CREATE TABLE secret (n INTEGER)").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let swapping = std::thread::spawn({
            let (stop, inside) = (stop.clone(), folder.path().to_owned());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::write(inside.join("new"), "").unwrap();
                    std::fs::rename(inside.join("new"), inside.join("c.db")).unwrap();
                    std::os::unix::fs::symlink(&target, inside.join("new")).unwrap();
                    std::fs::rename(inside.join("new"), inside.join("c.db")).unwrap();
                }
            }
        });
        let place = SqliteConnectOptions::new().filename(folder.path().canonicalize().unwrap().join("c.db"));
        let (mut connected, mut refused) = (0, 0);
        while connected < 20 || refused < 20 {
            match connect(&root, "c.db", &place).await {
                Ok(mut connection) => {
                    let tables =
                        sqlx::query_scalar("SELECT name FROM sqlite_master").fetch_all(&mut connection);
                    let tables: Result<Vec<String>, _> = tables.await;
                    // A file that lost its name meanwhile may be refused by SQLite itself.
                    let Ok(tables) = tables else { continue };
                    assert!(tables.is_empty(), "{tables:?}");
                    connected += 1;
                }
                Err(refusal) => refused += i32::from(refusal.code == Code::PathOutsideRoot),
            }
        }
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
    }
}
