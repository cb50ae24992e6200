//! The commands of docs/tour.md, as they stand there, run with the real binary; both READMEs show the same commands
//! with what they say, and docs/tour.zh.md is the tour in Chinese.

use serde_json::Value;

use crate::shell::{Shell, project, stop};

fn page(path: &str) -> String {
    std::fs::read_to_string(project(path)).expect(path)
}

/// The first block of commands of a page.
fn block(path: &str) -> String {
    let page = page(path);
    page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block").to_owned()
}

/// The commands of the tour; paths of the project made absolute.
fn commands() -> Vec<Vec<String>> {
    let word = |word: &str| match word.strip_prefix("config/examples/") {
        Some(_) => project(word).display().to_string(),
        None => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().skip(1).map(word).collect();
    block("docs/tour.md").lines().filter(|line| line.starts_with("changtong ")).map(line).collect()
}

/// Commands of a README and the lines that it shows below each.
fn shown(readme: &str) -> Vec<(String, Vec<String>)> {
    let mut shown: Vec<(String, Vec<String>)> = Vec::new();
    for console in page(readme).split("```console\n").skip(1) {
        for line in console.split("```").next().expect("the end of a block").lines() {
            match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => shown.push((command.to_owned(), Vec::new())),
                (None, Some((_, said))) => said.push(line.to_owned()),
                (None, None) => panic!("{readme}: {line} stands below no command"),
            }
        }
    }
    shown
}

/// Whether a line is what was said, but for what a page leaves out as `…`.
fn is_said(line: &str, said: &str) -> bool {
    said.lines().any(|real| {
        let mut rest = real;
        let found = line.split('…').all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        });
        found && (line.contains('…') || line == real)
    })
}

/// Both READMEs show the commands of the tour, and below each nothing that it did not say.
fn said_in_the_readmes(said: &[String]) {
    let written = block("docs/tour.md");
    for readme in ["README.md", "README.zh.md"] {
        let shown = shown(readme);
        let commands: Vec<&str> = shown.iter().map(|(command, _)| command.as_str()).collect();
        assert_eq!(commands, written.lines().collect::<Vec<_>>(), "{readme}");
        for ((command, lines), said) in shown.iter().zip(said) {
            for line in lines {
                assert!(is_said(line, said), "{readme}: {command} does not say {line}");
            }
        }
    }
}

#[tokio::test]
async fn the_tour_works_as_it_is_written() {
    let commands = commands();
    assert_eq!(commands.len(), 8, "the tour says eight commands");
    assert_eq!(block("docs/tour.zh.md"), block("docs/tour.md"), "the tour in Chinese has the same commands");
    let shell = Shell::new();
    let server = shell.serve(&commands[0]).await;
    let mut said = vec![String::new()];
    for command in &commands[1..4] {
        said.push(shell.done(command).await);
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

    let subscribed = shell.run(&commands[6]).await;
    assert_eq!(subscribed.code, 0, "{}", subscribed.err);
    let lines = subscribed.out;
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(records.len(), rows);
    assert!(records.iter().all(|line| line["record"]["year"] == 2013 && line["op"] == "upsert"));
    let nulls = data.lines().filter(|line| line.split(',').nth(11) == Some("NA")).count();
    assert_eq!(records.iter().filter(|line| line["record"]["tailnum"].is_null()).count(), nulls);
    assert_eq!(shell.done(&commands[6]).await, "", "everything was acknowledged");
    let checked = shell.run(&commands[7]).await;
    assert_eq!(checked.code, 4, "the change breaks a reader: {}", checked.err);
    stop(server).await;

    said.extend([applied, published, lines + &subscribed.err, checked.out + &checked.err]);
    said_in_the_readmes(&said);
}
