//! `POST /requests/{id}/disclosure`: what the consumer would see if the provider agreed so: items, derived schema, a
//! sample of records, what else is revealed. Changes nothing; a sample leaves its event.

use axum::Json;
use axum::extract::State;
use changtong_catalog::clock::Clock as _;
use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::grant::Grant;
use changtong_catalog::grant::disclose::{Notice, Shown, disclose};
use changtong_catalog::grant::make::{self, Terms};
use changtong_catalog::ids::{AgencyId, GrantNumber, RequestId, ResourceNumber};
use changtong_catalog::request::Agreement;
use changtong_catalog::request::lifecycle::{self, Act};
use changtong_catalog::resource::Resource;
use serde::Serialize;
use serde_json::value::RawValue;

use super::sample::{Sampled, sample};
use super::visible;
use crate::app::App;
use crate::http::parts::{At, Document};
use crate::http::problem::Answer;
use crate::http::{Known, Web};

/// Grants read at a time.
const PAGE: usize = 500;

#[derive(Debug, Serialize)]
pub struct Disclosed {
    items: Vec<Shown>,
    /// Together with the consumer's other grants on the resource.
    together: Vec<Shown>,
    other_grants: Vec<GrantNumber>,
    notices: Vec<Noticed>,
    /// The derived schema; the number in its namespace is given when the grant is made.
    schema: Box<RawValue>,
    sample: Sampled,
}

#[derive(Debug, Serialize)]
struct Noticed {
    notice: Notice,
    zh: String,
    en: String,
}

pub async fn disclosure(
    State(app): State<Web>,
    Known(caller): Known,
    At(id): At<RequestId>,
    Document { value: agreement, .. }: Document<Agreement>,
) -> Answer<Json<Disclosed>> {
    let (request, entry) = visible(&mut app.store.read().await?, &caller, id).await?;
    // Whoever will agree may look, and so may the one who prepares it.
    lifecycle::may(&caller, &request, entry.provider, Act::Agree, false)?;
    let now = app.clock.now();
    let terms = make::make(&request, &entry, &agreement, app.rules.zone, now)?;
    let others = held(&app, request.consumer, entry.number).await?;
    let shown = disclose(&terms, &entry, &others, now)?;
    let noticed = |notice: Notice| {
        let text = notice.text();
        Noticed { notice, zh: text.zh, en: text.en }
    };
    Ok(Json(Disclosed {
        items: shown.items,
        together: shown.together,
        other_grants: shown.other_grants,
        notices: shown.notices.into_iter().map(noticed).collect(),
        schema: schema(&terms, &entry)?,
        sample: sample(&app, &caller, &terms, now).await?,
    }))
}

fn schema(terms: &Terms, entry: &Resource) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(terms.schema(GrantNumber(0), entry)?)
        .map_err(|_| Refusal::new(Code::Internal, "派生的模式不是 JSON", "a derived schema is not JSON"))
}

/// Every grant of the agency on the resource.
async fn held(app: &App, agency: AgencyId, resource: ResourceNumber) -> Result<Vec<Grant>, Refusal> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = app.store.grants(Some(agency), Some(resource), after.as_deref(), PAGE).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
