//! The connector of docs/clients/README.md: its file and its command, as they stand there.

use std::os::unix::fs::PermissionsExt as _;

use super::{records, until_of};
use crate::shell::{Shell, project};
use crate::support::{TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(the_pages_command_runs_the_pages_file);

/// The page's block of that language behind its last heading.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let section = page.rsplit("## ").next().expect("a section");
    let begun = section.split(&format!("```{language}\n")).nth(1).expect("a block");
    begun.split("\n```").next().expect("its end")
}

/// What is another at every place: it stands in the page, and another stands for it here.
fn here(text: &str, there: &[(&str, &str)]) -> String {
    there.iter().fold(text.to_owned(), |text, (page, here)| {
        assert!(text.contains(page), "{page} is not in {text}");
        text.replace(page, here)
    })
}

async fn the_pages_command_runs_the_pages_file(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let integrator = &world.provider.integrator;
    let page = std::fs::read_to_string(project("docs/clients/README.md")).expect("the page");
    let shell = Shell::new();
    shell.write("flights-in.toml", here(block(&page, "toml"), &[("3070220601-000001", &code)]));
    shell.write("flights.csv", "station,hour,temp,observer\nJFK,1,NA,\nJFK,2,1.5,NA\n");
    shell.write("key", integrator.key());
    let key = shell.path("key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    let line = here(
        block(&page, "sh"),
        &[
            ("/etc/changtong/key", &key.display().to_string()),
            ("http://127.0.0.1:7070", &format!("http://{}", app.api)),
            ("127.0.0.1:9465", "127.0.0.1:0"),
        ],
    );
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..3], ["changtong", "connector", "run"], "{line}");
    let log = std::fs::File::create(shell.path("log")).expect("a log");
    let mut process = shell.command(&words[1..]).stderr(log).spawn().expect("it starts");
    until_of(integrator, "flights-in", |status| status["details"]["counts"]["accepted"] == 2).await;
    assert_eq!(records(integrator, &code).await, 2, "{}", shell.read("log"));
    process.kill().await.expect("kill -9");
}
