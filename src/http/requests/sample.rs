//! The sample of a disclosure: a few of the provider's own records as the consumer would see them, or why there are
//! none. What keeps the log from answering keeps nobody from agreeing.

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{Act, preview_records};
use changtong_catalog::audit::PreviewShown;
use changtong_catalog::clock::Time;
use changtong_catalog::error::{Code, Refusal, Text};
use changtong_catalog::grant::make::Terms;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;

#[derive(Debug, Serialize)]
pub struct Sampled {
    /// As they would be delivered; at most five.
    records: Vec<Box<RawValue>>,
    /// Of the newest records so many were looked at.
    looked_at: usize,
    /// Why no record is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<Nothing>,
}

#[derive(Debug, Serialize)]
struct Nothing {
    zh: String,
    en: String,
}

impl From<Text> for Nothing {
    fn from(Text { zh, en }: Text) -> Self {
        Self { zh, en }
    }
}

pub async fn sample(app: &App, caller: &Caller, terms: &Terms, now: Time) -> Result<Sampled, Refusal> {
    let found = match app.gate.preview(caller, terms).await {
        Ok(found) => found,
        Err(refusal) if refusal.code == Code::Internal || refusal.code == Code::NotFound => {
            return Err(refusal);
        }
        Err(refusal) => {
            return Ok(Sampled { records: Vec::new(), looked_at: 0, nothing: Some(refusal.text.into()) });
        }
    };
    let sent = i64::try_from(found.lines.len()).unwrap_or(i64::MAX);
    if sent > 0 {
        let act = Act { caller, now, ids: &*app.ids, rules: &app.rules, claim: None };
        let (resource, generation) = (terms.resource, found.generation);
        let shown = PreviewShown { resource, generation, request: Some(terms.request), sent };
        preview_records(&app.store, &act, shown).await?;
    }
    let records = found.lines.into_iter().map(RawValue::from_string).collect::<Result<_, _>>();
    let records = records.map_err(|_| {
        Refusal::new(Code::Internal, "样例记录不是 JSON", "a record of the sample is not JSON")
    })?;
    let nothing = (sent == 0).then(|| nothing(found.looked_at).into());
    Ok(Sampled { records, looked_at: found.looked_at, nothing })
}

fn nothing(looked_at: usize) -> Text {
    match looked_at {
        0 => {
            Text::new("该资源还没有记录,无样例可看", "the resource has no records yet, so there is no sample")
        }
        some => Text::new(
            format!("最新的 {some} 条记录中没有符合条件的,无样例可看"),
            format!("none of the newest {some} records passes the filters, so there is no sample"),
        ),
    }
}
