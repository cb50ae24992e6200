//! An owner reads its own resource (DESIGN.md 4): under a steward permit, every item, no window. It may read in any schema
//! version of the generation: what was published under an earlier one is still there, and shown to grants that hold it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use changtong_catalog::account::Caller;
use changtong_catalog::cursor::Cursor;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::decide;
use changtong_catalog::handle::HandleKey;
use changtong_catalog::ids::{AgencyId, Generation, GrantId, GrantNumber, ResourceNumber, SubscriptionId};
use changtong_catalog::mask::pseudonyms_of;
use changtong_catalog::ports::{ResourceStanding, Topic};
use changtong_catalog::schema;
use uuid::Uuid;

use super::calls::OwnRead;
use super::deliver::{READ, RECORDS, skip_dead, visible_ranges};
use super::permit::{Permit, PermitKind};
use super::plans::in_force;
use super::{Gate, refusals};
use crate::avro::{GrantKeys, Places, Plan, View, container};
use crate::log::LogRecord;

/// The most bytes of one answer, which is made whole.
const MOST_BYTES: u64 = 4 << 20;

/// One page, made whole. Whoever answers it keeps its event first (`steward.read`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPage {
    /// NDJSON lines and the final `{"next"}`, or a container file.
    pub body: Bytes,
    /// The cursor behind its last record.
    pub next: String,
    pub resource: ResourceNumber,
    pub generation: Generation,
    /// Next offset of every partition where it begins, and behind its last record.
    pub from: Vec<i64>,
    pub through: Vec<i64>,
    pub sent: i64,
}

/// What an answer looks like, and what makes its records.
enum Form {
    Lines(Arc<Plan>),
    /// With the schema of the file.
    File(Box<View>, String),
}

/// What an answer grows into.
struct Page {
    out: Vec<u8>,
    places: Places,
    next: Vec<i64>,
    sent: i64,
    lines: u64,
    bytes: u64,
}

impl Gate {
    pub async fn read_own(&self, caller: &Caller, read: OwnRead) -> Result<OwnPage, Refusal> {
        self.admit()?;
        let standing = self.directory.resource(&read.resource).await?.ok_or_else(refusals::no_resource)?;
        decide::steward(caller, &standing.resource).check()?;
        let mut levels = self.caller_levels(caller).to_vec();
        levels.push(self.resource_level(standing.resource.number));
        self.weigh(&levels)?;
        check_version(&standing, read.version)?;
        let topic = self.topics.known(&standing);
        let from = self.own_start(&standing, topic.as_ref(), read.cursor.as_deref()).await?;
        let mut page = Page {
            out: Vec::new(),
            places: Places::default(),
            next: from.clone(),
            sent: 0,
            lines: read.limit.unwrap_or(self.settings.answer_lines).min(self.settings.answer_lines_most),
            bytes: read.max_bytes.unwrap_or(MOST_BYTES).min(MOST_BYTES),
        };
        // An entry that was never published has no records, and no schema for a file either.
        let partitions = topic.as_ref().map_or(self.settings.partitions, |topic| topic.partitions);
        let wanted = topic.is_some() || read.file;
        let form = wanted.then(|| self.own_form(&standing, partitions, &read)).transpose()?;
        if let (Some(topic), Some(form)) = (&topic, &form) {
            let _held = self.budget.take(page.bytes + READ as u64)?;
            self.fill(&standing, topic, form, &mut page).await?;
        }
        let next = self.encode(&own_cursor(&standing, page.next.clone()))?;
        let (through, sent) = (page.next.clone(), page.sent);
        let body = match form {
            Some(Form::File(_, schema)) => self.as_file(&schema, &page),
            _ => with_last_line(page.out, &next),
        };
        Ok(OwnPage {
            body: body.into(),
            next,
            resource: standing.resource.number,
            generation: standing.resource.generation,
            from,
            through,
            sent,
        })
    }

    /// All of the resource, as a grant of everything would show it: a delete is known by its handle, which no grant's
    /// reader ever sees.
    fn own_form(
        &self,
        standing: &ResourceStanding,
        partitions: i32,
        read: &OwnRead,
    ) -> Result<Form, Refusal> {
        let version = read.version.unwrap_or_else(|| in_force(standing));
        let plan = self.plans.plan_of(standing, version, partitions)?;
        if !read.file {
            return Ok(Form::Lines(plan));
        }
        let nobody = GrantId(Uuid::nil());
        let keys = GrantKeys {
            handle: HandleKey::of_grant(self.keys.handle.get(self.keys.handle.current())?, nobody),
            pseudonyms: pseudonyms_of(
                self.keys.pseudonym.get(self.keys.pseudonym.current())?,
                AgencyId(Uuid::nil()),
            ),
        };
        let held = standing.versions.iter().find(|known| known.version == version);
        let items = &held.ok_or_else(refusals::fault)?.items;
        let all: Vec<String> = items.iter().map(|item| item.name.clone()).collect();
        let derived = schema::derived_schema(GrantNumber(0), items, &all, &BTreeMap::new())?;
        let view = View::whole(plan, keys);
        let schema = view.delivered_schema(&derived);
        Ok(Form::File(Box::new(view), schema))
    }

    fn as_file(&self, schema: &str, page: &Page) -> Vec<u8> {
        let mut marker = [0; 16];
        self.ids.fill(&mut marker);
        let mut file = container::head(schema.as_bytes(), marker);
        if page.sent > 0 {
            container::put_block(page.sent.unsigned_abs(), &page.out, marker, &mut file);
        }
        file
    }

    async fn fill(
        &self,
        standing: &ResourceStanding,
        topic: &Topic,
        form: &Form,
        page: &mut Page,
    ) -> Result<(), Refusal> {
        let views = self.committer.load(topic).await?;
        for turn in 0.. {
            page.next = skip_dead(&views, &page.next);
            let ranges = visible_ranges(&views, &page.next, turn);
            if ranges.is_empty() || page.is_full() {
                break;
            }
            let (number, generation) = (standing.resource.number, standing.resource.generation);
            let deadline = self.settings.append_deadline;
            let permit =
                Permit::mint(PermitKind::Steward, topic.name.clone(), number, generation, RECORDS, deadline);
            let records = match self.log.read(permit, &ranges, READ).await {
                Err(refusal) if refusal.code == Code::PositionExpired => {
                    let first = self.kept_behind(topic, &page.next).await?;
                    return Err(refusals::expired(self.encode(&own_cursor(standing, first))?));
                }
                read => read?,
            };
            if records.is_empty() {
                break;
            }
            for record in &records {
                if page.is_full() {
                    break;
                }
                page.put(standing, form, record)?;
            }
        }
        Ok(())
    }

    /// The cursor's offsets, or the first record still kept.
    async fn own_start(
        &self,
        standing: &ResourceStanding,
        topic: Option<&Topic>,
        cursor: Option<&str>,
    ) -> Result<Vec<i64>, Refusal> {
        let partitions = topic.map_or(0, |topic| usize::try_from(topic.partitions).unwrap_or(0));
        let next = match cursor {
            Some(text) => {
                let cursor = self.decode(text)?;
                let wanted = own_cursor(standing, cursor.next.clone());
                if cursor != wanted || !(cursor.next.is_empty() || cursor.next.len() == partitions) {
                    return Err(refusals::cursor_foreign());
                }
                cursor.next
            }
            None => Vec::new(),
        };
        match topic {
            Some(topic) if next.is_empty() => self.first_kept(topic, &vec![0; partitions]).await,
            _ => Ok(next),
        }
    }
}

impl Page {
    fn is_full(&self) -> bool {
        self.lines == 0 || self.out.len() as u64 >= self.bytes
    }

    fn put(&mut self, standing: &ResourceStanding, form: &Form, record: &LogRecord) -> Result<(), Refusal> {
        let at = usize::try_from(record.partition).map_err(|_| refusals::fault())?;
        let generation = standing.resource.generation;
        match form {
            Form::Lines(plan) => plan.owner_line(generation, record, &mut self.places, &mut self.out)?,
            // Nothing is filtered, so no record is passed over.
            Form::File(view, _) => {
                view.datum(generation, record, true, &mut self.places, &mut self.out)?;
            }
        }
        self.lines -= 1;
        self.sent += 1;
        if let Some(next) = self.next.get_mut(at) {
            *next = record.offset + 1;
        }
        Ok(())
    }
}

fn check_version(standing: &ResourceStanding, wanted: Option<i32>) -> Result<(), Refusal> {
    let versions: Vec<i32> = standing.versions.iter().map(|known| known.version).collect();
    if wanted.is_none_or(|wanted| versions.contains(&wanted)) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Invalid,
        format!("version:本代主题没有这一版模式,可用:{versions:?}"),
        format!("version: the generation has no such version of the schema; there are {versions:?}"),
    )
    .with("path", "version")
    .with("versions", versions))
}

fn with_last_line(mut lines: Vec<u8>, next: &str) -> Vec<u8> {
    let last = serde_json::json!({ "next": next });
    lines.extend_from_slice(last.to_string().as_bytes());
    lines.push(b'\n');
    lines
}

/// The cursor of an owner: of no subscription, its view the resource, its count the generation.
fn own_cursor(standing: &ResourceStanding, next: Vec<i64>) -> Cursor {
    Cursor {
        subscription: SubscriptionId(Uuid::nil()),
        view: standing.resource.number.0,
        generation: standing.resource.generation,
        seek_count: standing.resource.generation.0,
        next,
    }
}
