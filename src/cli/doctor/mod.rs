//! `changtong doctor`: looks at settings, folders, engines, clock and the running server, and says what to mend. It
//! changes nothing.

mod checks;
mod engines;
mod finding;
mod server;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Done, Failure};
use super::output::{Output, table};
use super::{Configured, block_on};
use crate::settings::{Loaded, Origin};
use finding::{Finding, State};

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    configured: Configured,
    /// As `serve --dev` would read the settings
    #[arg(long)]
    dev: bool,
    /// Show every setting, also those with their default
    #[arg(long)]
    all: bool,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub fn run(doctor: &Doctor) -> Done {
    let loaded = doctor.configured.load(doctor.dev)?;
    let findings = block_on::<_, Failure>(async { Ok(look(&loaded).await) })?;
    print(doctor, &loaded, &findings)?;
    match findings.iter().filter(|finding| finding.state == State::Wrong).count() {
        0 => Ok(()),
        wrong => Err(Failure::Failed(format!("{wrong} to mend"))),
    }
}

async fn look(loaded: &Loaded) -> Vec<Finding> {
    let settings = &loaded.settings;
    let mut findings = Vec::new();
    checks::data(settings, &mut findings);
    checks::keys(settings, &mut findings);
    engines::store(settings, &mut findings).await;
    engines::log(settings, &mut findings).await;
    server::running(settings, &mut findings).await;
    findings
}

fn print(doctor: &Doctor, loaded: &Loaded, findings: &[Finding]) -> Done {
    let settings = settings(loaded, doctor.all);
    let findings: Vec<Value> = findings.iter().map(Finding::as_json).collect();
    if doctor.output == Output::Json {
        return doctor.output.done(&json!({ "settings": settings, "findings": findings }), String::new);
    }
    if settings.is_empty() {
        println!("Every setting has its built-in default (--all shows them).");
    } else {
        print!("{}", table(&settings, &[("SETTING", "/setting"), ("VALUE", "/value"), ("FROM", "/from")]));
    }
    println!();
    print!(
        "{}",
        table(
            &findings,
            &[("", "/state"), ("CHECKED", "/checked"), ("FOUND", "/found"), ("TO MEND", "/mend")]
        )
    );
    Ok(())
}

/// The settings with where each came from; defaults only if all are wanted.
fn settings(loaded: &Loaded, all: bool) -> Vec<Value> {
    let wanted = |origin: &Origin| all || *origin != Origin::Default;
    let shown = loaded.origins.iter().filter(|(_, _, origin)| wanted(origin));
    shown
        .map(|(key, value, origin)| {
            json!({ "setting": key.path(), "value": value, "from": origin.to_string() })
        })
        .collect()
}
