//! The terms of a grant: what was asked, cut to what the resource demands and the provider added. Agreeing may add
//! masks, a filter and an earlier end; it never loosens (protocol.md 8).

use std::collections::BTreeMap;

use chrono::{FixedOffset, NaiveDate, NaiveTime, TimeZone, Utc};

use super::{Grant, GrantState};
use crate::audit::Digest;
use crate::clock::{Time, to_micros};
use crate::error::{Code, Refusal};
use crate::ids::{AgencyId, GrantId, GrantNumber, RequestId, ResourceNumber, SchemaId};
use crate::mask::Mask;
use crate::problems::Problems;
use crate::request::{Agreement, GrantLimits, History, Purpose, Request};
use crate::resource::Resource;
use crate::{filter, schema};

/// What a grant will be, before it has ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    pub resource: ResourceNumber,
    pub consumer: AgencyId,
    pub request: RequestId,
    pub purposes: Vec<Purpose>,
    /// In the order of the resource's items.
    pub items: Vec<String>,
    pub masks: BTreeMap<String, Mask>,
    pub provider_filter: Option<String>,
    pub consumer_filter: Option<String>,
    pub history: History,
    pub floor: Option<Time>,
    pub delete_lines: bool,
    pub limits: GrantLimits,
    pub valid_until: Option<Time>,
    pub created_at: Time,
}

/// What only the store knows of a new grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub id: GrantId,
    pub number: GrantNumber,
    pub schema: SchemaId,
    pub schema_version: i32,
    pub handle_key: String,
    pub pseudonym_key: String,
}

impl Terms {
    /// The text of the derived schema, before its id is given.
    pub fn schema(&self, number: GrantNumber, resource: &Resource) -> Result<String, Refusal> {
        schema::derived_schema(number, &resource.file.items, &self.items, &self.masks)
    }

    #[must_use]
    pub fn grant(self, given: Given) -> Grant {
        Grant {
            id: given.id,
            number: given.number,
            resource: self.resource,
            consumer: self.consumer,
            request: self.request,
            version: 1,
            state: GrantState::Active,
            purposes: self.purposes,
            items: self.items,
            masks: self.masks,
            provider_filter: self.provider_filter,
            consumer_filter: self.consumer_filter,
            history: self.history,
            floor: self.floor,
            delete_lines: self.delete_lines,
            limits: self.limits,
            schema: given.schema,
            schema_version: given.schema_version,
            handle_key: given.handle_key,
            pseudonym_key: given.pseudonym_key,
            created_at: self.created_at,
            valid_until: self.valid_until,
            cause: None,
            suspended_by: None,
        }
    }
}

/// Of a grant's items, masks, filters, history, limits and delete lines, for its event.
pub fn terms_digest(grant: &Grant) -> Result<Digest, Refusal> {
    Digest::of_file(&serde_json::json!({
        "items": grant.items,
        "masks": grant.masks,
        "provider_filter": grant.provider_filter,
        "consumer_filter": grant.consumer_filter,
        "history": grant.history,
        "limits": grant.limits,
        "delete_lines": grant.delete_lines,
    }))
}

/// The terms of a checked request as agreed now. `zone` is the deployment's, for days.
pub fn make(
    request: &Request,
    resource: &Resource,
    agreement: &Agreement,
    zone: FixedOffset,
    now: Time,
) -> Result<Terms, Refusal> {
    let file = &request.file;
    let items: Vec<_> = resource.file.items.iter().filter(|item| file.items.contains(&item.name)).collect();
    let mut problems = Problems::default();
    let masks = masks(&mut problems, request, resource, agreement);
    check_filters(&mut problems, request, resource, agreement, &masks);
    let until =
        until(&mut problems, file.valid_until, agreement.until, now.with_timezone(&zone).date_naive());
    problems.check()?;
    Ok(Terms {
        resource: resource.number,
        consumer: request.consumer,
        request: request.id,
        purposes: file.purposes.clone(),
        items: items.into_iter().map(|item| item.name.clone()).collect(),
        masks,
        provider_filter: agreement.filter.clone(),
        consumer_filter: file.filter.clone(),
        history: file.history,
        floor: match file.history {
            History::None => Some(to_micros(now)),
            History::Since(date) => Some(start_of(date, zone)),
            History::All => None,
        },
        delete_lines: !agreement.no_delete_lines,
        limits: file.limits,
        // The last day counts whole.
        valid_until: until.and_then(|day| day.succ_opt()).map(|day| start_of(day, zone)),
        created_at: to_micros(now),
    })
}

/// The least masks of the resource always, and what agreeing adds to them.
fn masks(
    problems: &mut Problems,
    request: &Request,
    resource: &Resource,
    agreement: &Agreement,
) -> BTreeMap<String, Mask> {
    let mut masks = BTreeMap::new();
    for item in resource.file.items.iter().filter(|item| request.file.items.contains(&item.name)) {
        let added = agreement.masks.get(&item.name).copied();
        if let Some(Err(refusal)) = added.map(|mask| mask.check(item)) {
            problems.take(format!("masks.{}", item.name), refusal);
            continue;
        }
        match Mask::compose(&item.name, item.mask, added) {
            Ok(Some(mask)) => {
                masks.insert(item.name.clone(), mask);
            }
            Ok(None) => {}
            Err(refusal) => problems.take(format!("masks.{}", item.name), refusal),
        }
    }
    for name in agreement.masks.keys().filter(|name| !request.file.items.contains(name)) {
        problems.add(
            Code::Invalid,
            format!("masks.{name}"),
            "没有申请这个信息项",
            "this item is not asked for",
        );
    }
    masks
}

fn check_filters(
    problems: &mut Problems,
    request: &Request,
    resource: &Resource,
    agreement: &Agreement,
    masks: &BTreeMap<String, Mask>,
) {
    let items = &resource.file.items;
    let read = |text: &str| filter::parse(text).and_then(|expr| expr.check(items));
    if let Some(Err(refusal)) = agreement.filter.as_deref().map(read) {
        problems.take("filter", refusal);
    }
    let consumer = match request.file.filter.as_deref().map(read) {
        None => return,
        Some(Err(refusal)) => return problems.take("request.filter", refusal),
        Some(Ok(filter)) => filter,
    };
    for item in consumer.items().iter().filter_map(|index| items.get(*index)) {
        if masks.contains_key(&item.name) {
            problems.add(
                Code::Invalid,
                format!("masks.{}", item.name),
                "申请方的筛选条件用了这个信息项:脱敏后它不能用于筛选,请让申请方先改申请",
                "the consumer's filter names this item, which masked it may not; have the request changed first",
            );
        }
    }
}

/// The earlier end; the provider's may not lie behind the one asked for.
fn until(
    problems: &mut Problems,
    asked: Option<NaiveDate>,
    agreed: Option<NaiveDate>,
    today: NaiveDate,
) -> Option<NaiveDate> {
    if asked.zip(agreed).is_some_and(|(asked, agreed)| agreed > asked) {
        problems.add(
            Code::Invalid,
            "until",
            "不能晚于申请的截止日期",
            "must not lie behind the end that was asked for",
        );
    }
    let until = agreed.or(asked);
    if until.is_some_and(|until| until < today) {
        problems.add(Code::Invalid, "until", "截止日期已过", "lies in the past");
    }
    until
}

fn start_of(day: NaiveDate, zone: FixedOffset) -> Time {
    let midnight = day.and_time(NaiveTime::MIN);
    // A fixed offset has every local time exactly once.
    zone.from_local_datetime(&midnight)
        .single()
        .map_or_else(|| midnight.and_utc(), |time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests;
