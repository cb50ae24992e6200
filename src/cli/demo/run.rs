//! The story of the demo, step by step, and its figures.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;

use super::cast::{self, Cast};
use super::count::{self, Flights};
use super::day_two;
use super::entries::{self, Entry};
use super::feed::{self, Progress};
use super::table::{Expected, Line, render};
use crate::client::{CallError, Client, Reading};
use crate::profiles::{Profile, Profiles};

pub struct Story<'s> {
    pub demo_data: &'s Path,
    pub examples: &'s Path,
    /// Where the connectors read and write.
    pub files: &'s Path,
    pub begun: Instant,
    /// Where the people's keys are kept, for whoever looks around afterwards.
    pub profiles: &'s Path,
}

/// How long a feed took, and what it did.
struct Fed {
    progress: Progress,
    first_day: u64,
    seconds: f64,
}

impl Story<'_> {
    pub async fn tell(&self, authority: &Client) -> Result<(), String> {
        let counts = Counts::take(self.demo_data)?;
        let lines = self.play(authority, &counts).await.map_err(|error| error.to_string())?;
        println!("\n{}", render(&lines));
        println!(
            "\"from the files\": records / delivered upserts, deletes / rows in the copy, counted without the bus"
        );
        if lines.iter().all(Line::agrees) {
            println!("Every count agrees.");
            return Ok(());
        }
        Err("the counts of the bus and of the files do not agree".to_owned())
    }

    async fn play(&self, authority: &Client, counts: &Counts) -> Result<Vec<Line>, CallError> {
        let cast = cast::assemble(authority).await?;
        self.keep("emergency", &cast.consumer()?.integrator)?;
        self.keep("transport-stats", &cast.agency("transport-stats")?.reviewer)?;
        say("5 agencies, each with an editor, a reviewer and an integrator");
        let entries = entries::publish_all(&cast, self.examples).await?;
        say("5 resources registered, approved by a second person and published");
        feed::start_sources(&cast, self.examples, &entries).await?;
        let mut fed = self.fed(&cast, &entries, counts).await?;
        counts.tell_defects();
        let grants = self.grants(&cast, &entries).await?;
        self.copies(&cast, &entries, &grants, counts).await?;
        self.second_day(&cast, &entries, counts, &mut fed).await?;
        self.revoke(&cast, &grants[1]).await?;
        let lines = self.figures(&cast, &entries, counts, &fed).await?;
        self.audit(authority).await?;
        Ok(lines)
    }

    /// Waits until every source has published its file.
    async fn fed(&self, cast: &Cast, entries: &[Entry], counts: &Counts) -> Result<Vec<Fed>, CallError> {
        let started = Instant::now();
        let first = async {
            let airports = entries.iter().find(|entry| entry.name == "airports");
            let Some(entry) = airports else { return Ok(()) };
            feed::wait(&cast.agency(&entry.provider)?.integrator, "airports-in", |seen| seen.accepted > 0)
                .await?;
            say(&format!(
                "first checked records on the bus {} after the start from an empty folder",
                ago(self.begun)
            ));
            Ok::<_, CallError>(())
        };
        let all = try_join_all(entries.iter().map(|entry| async {
            let integrator = &cast.agency(&entry.provider)?.integrator;
            let wanted = counts.records(entry.name);
            let done =
                feed::wait(integrator, &format!("{}-in", entry.name), |seen| seen.accepted >= wanted).await?;
            Ok::<_, CallError>(Fed {
                first_day: done.accepted,
                progress: done,
                seconds: started.elapsed().as_secs_f64(),
            })
        }));
        let (fed, ()) = futures::try_join!(all, first)?;
        let records: u64 = fed.iter().map(|fed| fed.progress.accepted).sum();
        let seconds = started.elapsed().as_secs_f64();
        say(&format!(
            "{records} records published in {seconds:.1} s ({:.0} records/s)",
            records as f64 / seconds
        ));
        Ok(fed)
    }

    /// Grants on weather and flights, in this order.
    async fn grants(&self, cast: &Cast, entries: &[Entry]) -> Result<[entries::Granted; 2], CallError> {
        let entry = |name: &str| find(entries, name);
        let weather = entries::ask(cast, self.examples, entry("weather")?).await?;
        let flights = entries::ask(cast, self.examples, entry("flights")?).await?;
        let how = |granted: &entries::Granted| {
            if granted.by_provider {
                "by its provider's reviewer"
            } else {
                "at once, on the standing consent"
            }
        };
        say(&format!("weather granted {}: {} items", how(&weather), weather.items.len()));
        say(&format!(
            "flights granted {}: {} of 19 items, one masked, under a filter",
            how(&flights),
            flights.items.len()
        ));
        Ok([weather, flights])
    }

    async fn copies(
        &self,
        cast: &Cast,
        entries: &[Entry],
        grants: &[entries::Granted; 2],
        counts: &Counts,
    ) -> Result<(), CallError> {
        let started = Instant::now();
        for (name, granted) in ["weather", "flights"].into_iter().zip(grants) {
            feed::start_sinks(cast, self.examples, find(entries, name)?, &granted.grant).await?;
        }
        let first = counts.first_flights.first_load();
        self.wait_for_copies(cast, "weather", counts.weather.records, 0).await?;
        self.wait_for_copies(cast, "flights", first.delivered_upserts, first.delivered_deletes).await?;
        let lines = counts.weather.records + first.delivered_upserts + first.delivered_deletes;
        say(&format!(
            "{lines} lines delivered into SQLite and CSV in {:.1} s",
            started.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    async fn wait_for_copies(
        &self,
        cast: &Cast,
        name: &str,
        upserts: u64,
        deletes: u64,
    ) -> Result<(), CallError> {
        let integrator = &cast.consumer()?.integrator;
        for kind in ["sqlite", "csv"] {
            let enough = |seen: &Progress| seen.delivered >= upserts + deletes;
            feed::wait(integrator, &format!("{name}-to-{kind}"), enough).await?;
        }
        Ok(())
    }

    async fn second_day(
        &self,
        cast: &Cast,
        entries: &[Entry],
        counts: &Counts,
        fed: &mut [Fed],
    ) -> Result<(), CallError> {
        let broken = CallError::Broken;
        day_two::flights(&self.demo_data.join("flights.csv"), &self.flights()).map_err(broken)?;
        day_two::weather(
            &self.demo_data.join("weather.csv"),
            &super::folder_of(self.files, "meteorology").join("weather-2.csv"),
        )
        .map_err(broken)?;
        let next = Flights::read(&self.flights()).map_err(broken)?;
        let difference = counts.first_flights.difference(&next);
        let first = counts.first_flights.first_load();
        for (name, more) in [("flights", difference.changed + difference.deleted), ("weather", 1)] {
            let entry = find(entries, name)?;
            let wanted = counts.records(name) + more;
            let integrator = &cast.agency(&entry.provider)?.integrator;
            let seen = feed::wait(integrator, &format!("{name}-in"), |seen| seen.accepted >= wanted).await?;
            if let Some(at) = entries.iter().position(|entry| entry.name == name) {
                fed[at].progress = seen;
            }
        }
        let upserts = first.delivered_upserts + difference.delivered_upserts;
        let deletes = first.delivered_deletes + difference.delivered_deletes;
        self.wait_for_copies(cast, "flights", upserts, deletes).await?;
        self.wait_for_copies(cast, "weather", counts.weather.records + 1, 0).await?;
        say(&format!(
            "second day: {} flights corrected and {} withdrawn by their provider; the copies followed",
            difference.changed, difference.deleted
        ));
        Ok(())
    }

    /// The provider ends the grant on flights; the next read must be refused.
    async fn revoke(&self, cast: &Cast, granted: &entries::Granted) -> Result<(), CallError> {
        let subscription = feed::subscribe(cast, &granted.grant).await?;
        let reading = Reading { subscription, limit: Some(10), ..Reading::default() };
        let integrator = &cast.consumer()?.integrator;
        integrator.deliver(&reading).await?;
        let reviewer = &cast.agency("transport-stats")?.reviewer;
        let cause = json!({"cause": "purpose_done", "filing": "交统函〔2026〕7号"});
        reviewer.post(&format!("/grants/{}/revoke", granted.grant), &cause).await?;
        match integrator.deliver(&reading).await {
            Err(error) if error.code() == Some("grant_revoked") => {
                say("flights revoked by their provider; the next read was refused: grant_revoked");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Err(CallError::Broken("a read went through after the revoke".to_owned())),
        }
    }

    async fn figures(
        &self,
        cast: &Cast,
        entries: &[Entry],
        counts: &Counts,
        fed: &[Fed],
    ) -> Result<Vec<Line>, CallError> {
        let next = Flights::read(&self.flights()).map_err(CallError::Broken)?;
        let mut lines = Vec::new();
        for (entry, fed) in entries.iter().zip(fed) {
            let mut line = Line {
                resource: entry.name.to_owned(),
                offered: fed.progress.offered,
                accepted: fed.progress.accepted,
                refused: fed.progress.refused,
                first_day: fed.first_day,
                seconds: fed.seconds,
                expected: counts.expected(entry.name, &next),
                ..Line::default()
            };
            if line.expected.copy.is_some() {
                let sink = format!("{}-to-csv", entry.name);
                let seen = feed::progress(&cast.consumer()?.integrator, &sink).await?;
                line.delivered = Some((seen.upserts, seen.deletes));
                line.copy = self.settled_copy(entry.name, line.expected.copy).await?;
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// Rows of the copy once it holds what is expected, or what it holds after a while.
    async fn settled_copy(&self, table: &str, expected: Option<u64>) -> Result<Option<u64>, CallError> {
        let mut rows = self.rows_in_copy(table).await?;
        for _ in 0..200 {
            if Some(rows) == expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            rows = self.rows_in_copy(table).await?;
        }
        Ok(Some(rows))
    }

    async fn rows_in_copy(&self, table: &str) -> Result<u64, CallError> {
        let rows = changtong_connectors::sink::sql::rows(&self.copy(), table).await;
        rows.map_err(|refusal| CallError::Broken(refusal.to_string()))
    }

    /// The flights file that the provider's connector reads.
    fn flights(&self) -> std::path::PathBuf {
        super::folder_of(self.files, "transport-stats").join("flights.csv")
    }

    /// The consumer's copy.
    fn copy(&self) -> std::path::PathBuf {
        super::folder_of(self.files, cast::CONSUMER).join("emergency.db")
    }

    /// Writes a profile.
    fn keep(&self, name: &str, who: &Client) -> Result<(), CallError> {
        let kept = Profiles::open(self.profiles).and_then(|mut profiles| {
            profiles.set(name, Profile::of(who, who.key()));
            profiles.save()
        });
        kept.map_err(CallError::Broken)
    }

    /// An auditor counts the events.
    async fn audit(&self, authority: &Client) -> Result<(), CallError> {
        let auditor = cast::person(authority, "authority", "auditor").await?;
        self.keep("auditor", &auditor)?;
        let events = auditor.list("/audit/events?limit=500").await?;
        say(&format!("{} audit events; the whole run took {}", events.len(), ago(self.begun)));
        Ok(())
    }
}

/// Counts taken from the files alone.
struct Counts {
    first_flights: Flights,
    weather: count::Rows,
    others: Vec<(&'static str, count::Rows)>,
    no_departure: u64,
    no_tail: u64,
}

impl Counts {
    fn take(data: &Path) -> Result<Self, String> {
        let keyed = |name: &str, key: &[&str]| count::keyed(&data.join(format!("{name}.csv")), key);
        Ok(Self {
            first_flights: Flights::read(&data.join("flights.csv"))?,
            weather: keyed("weather", &["origin", "year", "month", "day", "hour"])?,
            others: vec![
                ("planes", keyed("planes", &["tailnum"])?),
                ("airports", keyed("airports", &["faa"])?),
                ("streets", keyed("streets", &["code"])?),
            ],
            no_departure: count::missing(&data.join("flights.csv"), "dep_time")?,
            no_tail: count::missing(&data.join("flights.csv"), "tailnum")?,
        })
    }

    fn tell_defects(&self) {
        say(&format!(
            "the data's own defects are nulls, not errors: {} flights without departure time, {} without tail number; \
             {} weather records are {} rows, as clocks went back once",
            self.no_departure, self.no_tail, self.weather.records, self.weather.rows
        ));
    }

    /// Records of the first day's file.
    fn records(&self, name: &str) -> u64 {
        match name {
            "flights" => self.first_flights.rows(),
            "weather" => self.weather.records,
            _ => self.others.iter().find(|(other, _)| *other == name).map_or(0, |(_, rows)| rows.records),
        }
    }

    /// What the bus must have come to after the second day.
    fn expected(&self, name: &str, next: &Flights) -> Expected {
        match name {
            "flights" => {
                let (first, then) = (self.first_flights.first_load(), self.first_flights.difference(next));
                let upserts = first.delivered_upserts + then.delivered_upserts;
                let deletes = first.delivered_deletes + then.delivered_deletes;
                Expected {
                    accepted: self.records(name) + then.changed + then.deleted,
                    delivered: Some((upserts, deletes)),
                    copy: Some(next.granted()),
                }
            }
            "weather" => Expected {
                accepted: self.weather.records + 1,
                delivered: Some((self.weather.records + 1, 0)),
                copy: Some(self.weather.rows),
            },
            _ => Expected { accepted: self.records(name), ..Expected::default() },
        }
    }
}

fn find<'e>(entries: &'e [Entry], name: &str) -> Result<&'e Entry, CallError> {
    let found = entries.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| CallError::Broken(format!("the demo has no resource {name}")))
}

fn say(line: &str) {
    println!("· {line}");
}

fn ago(begun: Instant) -> String {
    let elapsed = begun.elapsed();
    if elapsed < Duration::from_secs(1) {
        return format!("{} ms", elapsed.as_millis());
    }
    format!("{:.1} s", elapsed.as_secs_f64())
}
