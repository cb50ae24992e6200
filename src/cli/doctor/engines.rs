//! Whether store and log can be reached and are set up as they must be.

use changtong_catalog::clock::Time;
use changtong_catalog::store::Store;

use super::super::connection::spoken;
use super::finding::Finding;
use crate::app::{StartError, store_config};
use crate::settings::Settings;
use crate::wiring;

/// Clocks further apart than this make people doubt times in audit and console. Nothing is decided by them.
const APART_SECONDS: i64 = 5;

pub async fn store(settings: &Settings, findings: &mut Vec<Finding>) {
    let config = match store_config(settings) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::wrong("store", error.to_string(), "mend that setting"));
            return;
        }
    };
    if let Some(path) = config.url.strip_prefix("sqlite:")
        && !std::path::Path::new(path).exists()
    {
        findings.push(Finding::good("store", format!("{path} is not there yet; the first start makes it")));
        return;
    }
    match Store::look(&config).await {
        Ok(look) => {
            findings.push(Finding::good("store", format!("{} answers", look.engine)));
            findings.push(clock(look.now, here()));
        }
        Err(refusal) => findings.push(Finding::wrong(
            "store",
            format!("{}: {}", refusal.code, spoken(refusal.text)),
            "mend database.url and database.password, or the database",
        )),
    }
}

#[expect(clippy::disallowed_methods, reason = "this machine's clock is what is looked at")]
fn here() -> Time {
    chrono::Utc::now()
}

fn clock(store: Time, here: Time) -> Finding {
    let apart = (store - here).num_seconds();
    if apart.abs() > APART_SECONDS {
        return Finding::doubtful(
            "clock",
            format!("the store's clock and this machine's are {} seconds apart", apart.abs()),
            "let both follow one time service (NTP)",
        );
    }
    Finding::good("clock", "the store's and this machine's agree")
}

pub async fn log(settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.kafka.brokers.is_empty() {
        let path = settings.data.dir.join("log.db");
        let found = if path.exists() { "is there" } else { "is not there yet; the first start makes it" };
        findings.push(Finding::good("log", format!("embedded: {} {found}", path.display())));
        return;
    }
    let brokers = settings.kafka.brokers.join(", ");
    let check = match wiring::look_at_kafka(settings).await {
        Ok(check) => check,
        Err(error) => {
            findings.push(Finding::wrong(
                "log",
                format!("{brokers}: {}", said(error)),
                "mend the settings in [kafka], or the brokers",
            ));
            return;
        }
    };
    findings.push(Finding::good("log", format!("Kafka answers at {brokers}; brokers: {}", check.brokers)));
    for fault in check.faults {
        findings.push(Finding::wrong(
            "topics",
            format!("{}: {}", fault.code, spoken(fault.text)),
            "mend kafka.replication_factor and kafka.min_insync_replicas, or add brokers",
        ));
    }
    findings.push(match check.authorizer {
        Some(class) => Finding::good("access to topics", format!("the brokers ask {class}")),
        None => Finding::doubtful(
            "access to topics",
            "the brokers have no authorizer: whoever reaches them may read and write every topic",
            "set authorizer.class.name, and let only the bus's user at its topics",
        ),
    });
}

fn said(error: StartError) -> String {
    match error {
        StartError::Refused(refusal) => format!("{}: {}", refusal.code, spoken(refusal.text)),
        of_this_machine => of_this_machine.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn clocks_that_run_apart_are_worth_a_look() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let noon = at("2026-01-01T12:00:00Z");
        assert_eq!(clock(noon, at("2026-01-01T12:00:05Z")).state, State::Good);
        assert_eq!(clock(noon, at("2026-01-01T12:00:06Z")).state, State::Doubtful);
        assert_eq!(clock(at("2026-01-01T12:10:00Z"), noon).state, State::Doubtful);
    }
}
