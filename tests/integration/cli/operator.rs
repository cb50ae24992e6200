//! What operators run: doctor, reconcile, bench.

use crate::shell::{Shell, stop};
use crate::support::{Pair, TestApp};

#[tokio::test]
async fn the_doctor_says_where_settings_come_from_and_what_to_mend() {
    let shell = Shell::new();
    let said = shell.line("doctor --data data").await;
    assert!(said.contains("flag --data") && said.contains("CHANGTONG_HTTP__LISTEN"), "{said}");
    assert!(!said.contains("wrong"), "{said}");
    assert!(shell.line("doctor --all").await.contains("limits.batch"));
    assert!(!shell.path("changtong-data").exists(), "it changes nothing");

    shell.write("wrong.toml", "[data]\ndir = \"wrong.toml\"\n");
    let refused = shell.refused("doctor --config wrong.toml", 1).await;
    assert!(refused.contains("to mend"), "{refused}");
    shell.write("unknown.toml", "[http]\nlisten_on = \"x\"\n");
    let refused = shell.refused("doctor --config unknown.toml", 1).await;
    assert!(refused.contains("http.listen"), "{refused}");
}

#[tokio::test]
async fn the_bench_counts_what_is_visible_and_reconcile_finds_store_and_events_agree() {
    let shell = Shell::new();
    let server = shell.serve(&["serve", "--data", "data"]).await;
    let pid = server.id().expect("it runs");
    let line = format!("bench publish --seconds 1 --concurrency 2 --records 100 --pid {pid}");
    let bench = shell.json(&format!("{line} --repeat 2")).await;
    assert!(bench["machine"]["cores"].as_u64() > Some(0) && bench["repeats"] == 2, "{bench}");
    let figures = &bench["rows"][0]["figures"];
    for of in ["median", "min", "max"] {
        assert!(figures["records"][of].as_f64() > Some(0.0), "{bench}");
        assert_eq!(figures["records"][of], figures["answered"][of], "what was answered is visible");
    }
    assert!(figures["resident_mib"]["max"].is_number() && figures["p99_ms"]["min"].is_number(), "{bench}");
    for format in ["ndjson", "avro"] {
        let read =
            shell.json(&format!("bench deliver --thousands 2 --concurrency 2 --format {format}")).await;
        let figures = &read["rows"][0]["figures"];
        let counted = (&figures["records"]["median"], &figures["answered"]["median"]);
        assert_eq!(counted, (&4000.into(), &4000.into()), "{read}");
    }

    let refusing = shell.json("bench keys --calls 20").await;
    for row in refusing["rows"].as_array().expect("rows") {
        let figures = &row["figures"];
        assert_eq!(figures["calls"]["median"], 20, "{refusing}");
        assert!(figures["p50_us"]["median"].as_f64() > Some(0.0), "{refusing}");
    }

    let refused = shell.refused("reconcile --data data", 1).await;
    assert!(refused.contains("another process"), "{refused}");
    assert!(shell.line("doctor --data data").await.contains("sqlite answers"));
    stop(server).await;
    let said = shell.line("reconcile --data data").await;
    assert!(said.contains("they agree"), "{said}");
    let found = shell.json("reconcile --data data").await;
    assert!(found["visible"].as_u64() > Some(2000) && found["windows"].as_u64() > Some(0), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_compares_the_bus_with_a_bare_producer() {
    let Some(app) = TestApp::start(Pair::Production, &[]).await else { return };
    let shell = Shell::of(&app);
    let settings = &app.app().settings;
    let (brokers, prefix) = (settings.kafka.brokers.join(","), settings.log.prefix.clone());
    let line = format!("bench producer --seconds 1 --records 50 --concurrency 2 --brokers {brokers}");
    let bench = shell.json(&format!("{line} --prefix {prefix}")).await;
    let figure = |row: usize, name: &str| {
        let value = bench["rows"][row]["figures"][name]["median"].as_f64();
        value.unwrap_or_else(|| panic!("{name} of row {row} in {bench}"))
    };
    assert!(figure(0, "records") > 0.0 && figure(1, "records") > 0.0, "{bench}");
    assert_eq!(figure(1, "records"), figure(1, "answered"), "what was answered is visible");
    let share = figure(1, "records_per_second") / figure(0, "records_per_second") * 100.0;
    assert!((figure(1, "percent_of_the_bare_producer") - share).abs() < 0.5, "{bench}");

    // Another broker's figures would say nothing of this server.
    let refused = shell.refused(&format!("{line} --prefix other."), 2).await;
    assert!(refused.contains("--prefix"), "{refused}");
    app.stop().await;
}
