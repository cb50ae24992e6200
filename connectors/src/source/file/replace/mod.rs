//! `replace`: a file is the full state (全量), and what differs from the resource is published.
//!
//! The resource itself is what the file is compared with: it is read when a new file comes, so nothing is kept beside
//! the log, and after a crash in the middle the difference that is left is worked out anew.

mod diff;
mod state;
mod target;

use std::io::Seek as _;
use std::sync::Arc;

use cap_std::fs::File;
use changtong_catalog::error::Refusal;
use changtong_catalog::ports::ResourceStanding;
use changtong_catalog::resource::Kind;

pub(super) use state::State;
use target::Target;

use super::position::Replaced;
use super::refusals;
use super::spec::FileSourceSpec;
use crate::avro::Plan;
use crate::bus::Bus;
use crate::gate::OnInvalid;
use crate::root::{turn_of, unreadable};
use crate::source::{BEGINNING, Reading};

/// One file to bring the resource to.
pub(super) struct Job<'a> {
    pub spec: &'a FileSourceSpec,
    pub on_invalid: OnInvalid,
    pub standing: &'a ResourceStanding,
    pub label: &'a str,
    pub confirmed: Option<&'a str>,
}

pub(super) async fn read(
    state: &mut State,
    job: Job<'_>,
    file: File,
    position: &str,
    bus: &dyn Bus,
) -> Result<Reading, Refusal> {
    if job.standing.resource.file.kind == Kind::Stream {
        return Err(refusals::streams_have_no_state());
    }
    let stored = Replaced::parse(position);
    if stored.is_none() && position != BEGINNING {
        return Err(refusals::not_our_position(job.label));
    }
    let plan = Arc::new(Plan::compile(job.standing, 1)?);
    let (target, file) = look(&job, &plan, file).await?;
    let name = turn_of(job.label).1;
    let last = stored.as_ref().and_then(|stored| stored.name.clone());
    let later = last.filter(|last| turn_of(last) > turn_of(&name));
    let begun = stored.filter(|stored| stored.digest == target.digest);
    if begun.as_ref().is_some_and(|stored| stored.done) {
        return Ok(Reading::ahead(|_| Ok(())));
    }
    if let Some(bad) = target.bad.first().filter(|_| job.on_invalid == OnInvalid::Reject) {
        return Err(refusals::bad_record(job.label, bad.line, &bad.path, &bad.reason));
    }
    state.catch_up(&plan, bus).await?;
    let rows = state.rows();
    let deletes = target.missing(&rows);
    let allowed = job.spec.max_deletes.allows(deletes.len() as u64, rows.len() as u64);
    // What was begun was allowed then.
    let may = begun.is_some() || job.confirmed == Some(target.digest.as_str());
    if !may && (!allowed || later.is_some()) {
        let (deletes, rows) = (deletes.len() as u64, rows.len() as u64);
        return Err(match later {
            Some(later) => refusals::earlier(job.label, &later, deletes, rows, &target.digest),
            None => refusals::confirm(job.label, deletes, rows, &target.digest),
        });
    }
    let from = match begun {
        Some(begun) => Replaced { name: later.or(Some(name)), ..begun },
        None => {
            let digest = target.digest.clone();
            Replaced { digest, steps: 0, aside: 0, done: false, name: Some(name) }
        }
    };
    let work = diff::Work {
        wanted: target.wanted(&rows, from.aside),
        spec: job.spec.clone(),
        label: job.label.to_owned(),
        plan,
        deletes,
        from,
    };
    Ok(Reading::ahead(move |steps| work.send(file, steps)))
}

/// Reads the whole file once.
async fn look(job: &Job<'_>, plan: &Arc<Plan>, file: File) -> Result<(Target, File), Refusal> {
    let (spec, label, plan) = (job.spec.clone(), job.label.to_owned(), plan.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let target = Target::read(&spec, &plan, &label, &file)?;
        (&file).rewind().map_err(|error| unreadable(&label, &error))?;
        Ok((target, file))
    });
    looking.await.map_err(|_| refusals::fault())?
}
