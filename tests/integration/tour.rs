//! The commands of docs/tour.md, as they stand there, run with the real binary.

use serde_json::Value;

use crate::shell::{Shell, project, stop};

/// The first block of commands of the page; paths of the project made absolute.
fn commands() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(project("docs/tour.md")).expect("docs/tour.md");
    let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let word = |word: &str| match word.strip_prefix("config/examples/") {
        Some(_) => project(word).display().to_string(),
        None => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().skip(1).map(word).collect();
    block.expect("a block").lines().filter(|line| line.starts_with("changtong ")).map(line).collect()
}

#[tokio::test]
async fn the_tour_works_as_it_is_written() {
    let commands = commands();
    assert_eq!(commands.len(), 7, "the tour says seven commands");
    let shell = Shell::new();
    let server = shell.serve(&commands[0]).await;
    for command in &commands[1..4] {
        shell.done(command).await;
    }
    let applied = shell.done(&commands[4]).await;
    assert!(applied.contains("a new entry") && applied.contains("300000/000001 is published"), "{applied}");
    assert!(shell.done(&commands[4]).await.contains("nothing to change"), "applied again");

    let data = std::fs::read_to_string(project("config/examples/data/flights.csv")).expect("the data");
    let rows = data.lines().count() - 1;
    let published = shell.done(&commands[5]).await;
    assert!(published.contains(&format!("{rows} records published")), "{published}");
    let again = shell.done(&commands[5]).await;
    assert!(again.contains(&format!(": 0 records published, {rows} published before")), "{again}");

    let lines = shell.done(&commands[6]).await;
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(records.len(), rows);
    assert!(records.iter().all(|line| line["record"]["year"] == 2013 && line["op"] == "upsert"));
    let nulls = data.lines().filter(|line| line.split(',').nth(11) == Some("NA")).count();
    assert_eq!(records.iter().filter(|line| line["record"]["tailnum"].is_null()).count(), nulls);
    assert_eq!(shell.done(&commands[6]).await, "", "everything was acknowledged");
    stop(server).await;
}
