//! What a consumer would see of the provider's own records if the provider agreed so (DESIGN.md 4): a few of the newest,
//! read under a preview permit, filtered, projected and masked as the grant would be. History is not judged: it is the
//! form of the records that is shown.
//!
//! Whoever may agree sees them, who needs no integrator's role for it. So few are shown, and looked for among so few,
//! that no number of previews with other filters pages through the resource. Handles and pseudonyms are made with keys
//! of no grant and no agency, so that nothing shown here is recognised in what is delivered.

use changtong_catalog::account::Caller;
use changtong_catalog::error::Refusal;
use changtong_catalog::grant::decide;
use changtong_catalog::grant::make::{Given, Terms};
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{AgencyId, Generation, GrantId, GrantNumber, SchemaId};
use changtong_catalog::mask::pseudonyms_of;
use changtong_catalog::ports::{ResourceStanding, Topic};
use changtong_catalog::visibility::PartitionView;
use uuid::Uuid;

use super::deliver::{READ, skip_dead, visible_ranges};
use super::permit::{Permit, PermitKind};
use super::{Gate, refusals};
use crate::avro::{GrantKeys, Passed, Places, View};

/// The most records that are shown.
const SHOWN: usize = 5;
/// Among the newest so many.
const LOOKED_AT: usize = 500;

/// Records as the consumer would see them: NDJSON lines without their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub generation: Generation,
    pub lines: Vec<String>,
    /// Records that were looked at, those that the filters pass over included.
    pub looked_at: usize,
}

impl Gate {
    /// Whoever answers this keeps its event first (`preview`).
    pub async fn preview(&self, caller: &Caller, terms: &Terms) -> Result<Sample, Refusal> {
        self.admit()?;
        let standing = self.directory.resource_by_number(terms.resource).await?;
        let standing = standing.ok_or_else(refusals::no_resource)?;
        decide::preview(caller, &standing.resource).check()?;
        let generation = standing.resource.generation;
        let mut sample = Sample { generation, lines: Vec::new(), looked_at: 0 };
        if let Some(topic) = self.topics.known(&standing) {
            let _held = self.budget.take(2 * READ as u64)?;
            let view = self.as_granted(&standing, &topic, terms)?;
            self.look(&topic, &view, &mut sample).await?;
        }
        Ok(sample)
    }

    fn as_granted(&self, standing: &ResourceStanding, topic: &Topic, terms: &Terms) -> Result<View, Refusal> {
        let keys = &self.keys;
        let grant = terms.clone().grant(Given {
            id: GrantId(Uuid::nil()),
            number: GrantNumber(0),
            schema: SchemaId(0),
            schema_version: standing.versions.last().map_or(0, |version| version.version),
            handle_key: keys.handle.current().to_owned(),
            pseudonym_key: keys.pseudonym.current().to_owned(),
        });
        let made = GrantKeys {
            handle: HandleKey::of_grant(keys.handle.get(keys.handle.current())?, GrantId(terms.request.0)),
            pseudonyms: pseudonyms_of(keys.pseudonym.get(keys.pseudonym.current())?, AgencyId(Uuid::nil())),
        };
        self.plans.granted(standing, &grant, made, topic.partitions)
    }

    async fn look(&self, topic: &Topic, view: &View, sample: &mut Sample) -> Result<(), Refusal> {
        let views = self.committer.load(topic).await?;
        let mut next = self.first_kept(topic, &newest(&views)).await?;
        let mut places = Places::default();
        for turn in 0.. {
            next = skip_dead(&views, &next);
            let ranges = visible_ranges(&views, &next, turn);
            let most = LOOKED_AT - sample.looked_at;
            if ranges.is_empty() || most == 0 || sample.lines.len() == SHOWN {
                break;
            }
            let (name, number) = (topic.name.clone(), topic.resource);
            let deadline = self.settings.append_deadline;
            let permit = Permit::mint(PermitKind::Preview, name, number, topic.generation, most, deadline);
            let records = self.log.read(permit, &ranges, READ).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                if sample.lines.len() == SHOWN {
                    break;
                }
                let mut line = Vec::new();
                if view.line(topic.generation, record, false, &mut places, &mut line)? == Passed::Sent {
                    let line = String::from_utf8(line).map_err(|_| refusals::fault())?;
                    sample.lines.push(line.trim_end().to_owned());
                }
                sample.looked_at += 1;
                if let Some(next) = usize::try_from(record.partition).ok().and_then(|at| next.get_mut(at)) {
                    *next = record.offset + 1;
                }
            }
        }
        Ok(())
    }
}

/// Where the newest records begin, of each partition its part of them.
fn newest(views: &[PartitionView]) -> Vec<i64> {
    let each = i64::try_from(LOOKED_AT / views.len().max(1)).unwrap_or(1).max(1);
    views.iter().map(|view| (view.stable_end() - each).max(0)).collect()
}
