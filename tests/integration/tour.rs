//! The commands of docs/tour.md, as they stand there, run with the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_changtong");

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first block of commands of the page; paths of the project made absolute.
fn commands() -> Vec<Vec<String>> {
    let page = fs::read_to_string(project().join("docs/tour.md")).expect("docs/tour.md");
    let block =
        page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of commands");
    let word = |word: &str| match word.strip_prefix("config/examples/") {
        Some(_) => project().join(word).display().to_string(),
        None => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().skip(1).map(word).collect();
    block.lines().filter(|line| line.starts_with("changtong ")).map(line).collect()
}

/// A place of its own: data, profiles, ports.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn profiles(&self) -> PathBuf {
        self.folder.path().join("profiles.toml")
    }

    fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("CHANGTONG_PROFILES", self.profiles())
            .env("CHANGTONG_HTTP__LISTEN", "127.0.0.1:0")
            .env("CHANGTONG_OPERATIONS__LISTEN", "127.0.0.1:0")
            .env("LANG", "en");
        command
    }

    fn run(&self, args: &[String]) -> Output {
        self.command(args).output().expect("the command runs")
    }

    /// Runs a command that must succeed; its standard output.
    fn done(&self, args: &[String]) -> String {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?} ended with {:?}: {error}", output.status.code());
        String::from_utf8(output.stdout).expect("text")
    }
}

/// A server that is asked to stop at the end.
struct Running(Child);

impl Running {
    fn start(place: &Place, args: &[String]) -> Self {
        let child = place.command(args).stdout(Stdio::null()).spawn().expect("the server starts");
        let mut running = Self(child);
        // The profile is written when the listeners are open.
        while !place.profiles().exists() {
            assert!(running.0.try_wait().expect("its state").is_none(), "the server ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }

    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        assert!(self.0.wait().expect("its end").success(), "a server that is asked to stop ends well");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().ok().flatten().is_none() {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
}

fn rows(file: &str) -> usize {
    let data = fs::read_to_string(project().join("config/examples/data").join(file)).expect("the data");
    data.lines().count() - 1
}

#[test]
fn the_tour_works_as_it_is_written() {
    let commands = commands();
    assert_eq!(commands.len(), 7, "the tour says seven commands");
    let place = Place { folder: tempfile::tempdir().expect("a folder") };
    let server = Running::start(&place, &commands[0]);
    for command in &commands[1..4] {
        place.done(command);
    }
    let applied = place.done(&commands[4]);
    assert!(applied.contains("a new entry") && applied.contains("300000/000001 is published"), "{applied}");
    assert!(place.done(&commands[4]).contains("nothing to change"), "applied again");

    let rows = rows("flights.csv");
    let published = place.done(&commands[5]);
    assert!(published.contains(&format!("{rows} records published")), "{published}");
    let again = place.done(&commands[5]);
    assert!(again.contains(&format!(": 0 records published, {rows} published before")), "{again}");

    let lines = place.done(&commands[6]);
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(records.len(), rows);
    let of_day = |record: &&Value| record["record"]["year"] == 2013 && record["op"] == "upsert";
    assert_eq!(records.iter().filter(of_day).count(), rows);
    let read_again = place.done(&commands[6]);
    assert_eq!(read_again, "", "everything was acknowledged");
    server.stop();
}
