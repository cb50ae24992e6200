//! Case 13: a connector in its own process on a machine whose clock is days wrong, and swings. What it says of itself is
//! wrong by that; whether it lives, what counts and when it happened is by store time.

use changtong_catalog::clock::{Clock as _, Time};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Beside, append, records, rows, source, until};
use crate::support::{TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(a_clock_that_is_wrong_decides_nothing);

async fn a_clock_that_is_wrong_decides_nothing(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("unconditional")).await;
    let integrator = &world.provider.integrator;
    let beside = Beside::new(app, integrator.key());
    beside.shell.write("obs-in.toml", source(&code));
    std::fs::create_dir(beside.shell.path("in")).expect("a folder");
    let file = beside.shell.path("in/obs.csv");
    append(&file, &format!("station,hour,temp,observer\n{}", rows(0..10)));
    let began = app.app().clock.now();

    let wrong = || beside.command(&[]).env("CHANGTONG_FAULT", "clock.swings=on").spawn().expect("it starts");
    let mut process = wrong();
    let shown = until(integrator, |status| status["details"]["lag"]["caught_up_at"].is_string()).await;
    let details = &shown["status"]["details"];
    for said in [&details["since"], &details["lag"]["caught_up_at"]] {
        let apart = (time(said) - app.app().clock.now()).abs();
        assert!(apart > TimeDelta::days(1), "its clock is wrong: {shown}");
    }
    assert_eq!(shown["status"]["state"], "running", "nobody takes it for silent");
    // It goes on while the clock swings, and begins where it was after a restart.
    append(&file, &rows(10..14));
    until(integrator, |status| status["details"]["counts"]["accepted"] == 14).await;
    process.kill().await.expect("kill -9");
    until(integrator, |status| status["state"] == "silent").await;
    append(&file, &rows(14..16));
    let mut process = wrong();
    until(integrator, |status| status["details"]["counts"]["accepted"] == 2).await;
    process.kill().await.expect("kill -9");

    assert_eq!(records(integrator, &code).await, 16, "each once");
    let told = world.auditor.get("/api/v1/audit/events?code=publish").await.expect(200);
    let ended = app.app().clock.now();
    let times: Vec<Time> =
        told["items"].as_array().expect("events").iter().map(|event| time(&event["at"])).collect();
    assert!(times.len() >= 3 && times.iter().all(|at| began <= *at && *at <= ended), "{told}");
    let other = world.consumer.editor.get("/api/v1/resources").await.expect(200);
    assert_ne!(other["items"], json!([]), "others are served");
}

fn time(said: &Value) -> Time {
    said.as_str().expect("a time").parse().expect("a time")
}
