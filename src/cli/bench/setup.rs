//! Agencies and a resource for one bench. Each agency gets two accounts, so that four eyes are kept wherever it runs.

use changtong_catalog::clock::Ids as _;
use changtong_catalog::codes::Uscc;
use serde_json::{Value, json};

use super::super::failure::{Done, Failure};
use super::super::files::in_path;
use super::super::text;
use super::load;
use crate::client::Client;
use crate::clock::SystemIds;

/// An agency's two accounts.
pub struct Agency {
    pub alias: String,
    /// Its credit code.
    pub code: String,
    /// Writes, publishes, reads.
    pub first: Client,
    /// Approves, consents.
    pub second: Client,
}

/// An agency of a name that nobody has.
pub async fn agency(authority: &Client) -> Done<Agency> {
    let mut random = [0; 8];
    SystemIds.fill(&mut random);
    let number = u64::from_be_bytes(random);
    let alias = format!("bench-{:08x}", number as u32);
    let code = credit_code(number).ok_or_else(|| Failure::Failed("no credit code could be made".into()))?;
    let body = json!({ "alias": alias, "name": "bench", "code": code, "account": "first" });
    let joined = authority.post("/agencies", &body).await?.body;
    let first = authority.with_key(&text(&joined, "/key/text"))?;
    let roles = json!(["editor", "reviewer"]);
    let account = json!({ "name": "second", "roles": roles });
    let account = authority.post(&format!("/agencies/{alias}/accounts"), &account).await?.body;
    let keys = format!("/accounts/{}/keys", text(&account, "/id"));
    let key = authority.post(&keys, &json!({ "roles": roles })).await?.body;
    let second = authority.with_key(&text(&key, "/text"))?;
    Ok(Agency { alias, code, first, second })
}

/// A published resource of the agency; its code as it stands in paths.
pub async fn resource(provider: &Agency) -> Done<String> {
    let file = load::resource(&provider.alias, "300000");
    let entry = provider.first.post("/resources", &file).await?.body;
    let code = in_path(&text(&entry, "/code"));
    for (account, step) in
        [(&provider.first, "submit"), (&provider.second, "approve"), (&provider.second, "publish")]
    {
        account.post(&format!("/resources/{code}/{step}"), &json!({})).await?;
    }
    Ok(code)
}

/// A grant of the whole resource for the agency.
pub async fn grant(consumer: &Agency, code: &str) -> Done<String> {
    let entry = consumer.first.get(&format!("/resources/{code}")).await?;
    let items = entry.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = items.iter().map(|item| text(item, "/name")).collect();
    ask(consumer, code, json!({ "items": names })).await
}

/// A grant of some items of the rows that pass a filter.
pub async fn narrow_grant(consumer: &Agency, code: &str) -> Done<String> {
    ask(consumer, code, json!({ "items": load::SOME_ITEMS, "filter": load::FILTER })).await
}

/// Asks for what `wanted` says; an unconditional resource is granted at once.
async fn ask(consumer: &Agency, code: &str, wanted: Value) -> Done<String> {
    let mut request = json!({
        "resource": code, "consumer": consumer.alias, "purposes": [{ "code": "bench", "text": "bench" }],
        "basis": "bench", "consented_by": { "office": "bench", "document": "bench" }, "history": "all",
    });
    if let (Some(request), Value::Object(wanted)) = (request.as_object_mut(), wanted) {
        request.extend(wanted);
    }
    let request = consumer.first.post("/requests", &request).await?.body;
    let submit = format!("/requests/{}/submit", text(&request, "/id"));
    let agreed = consumer.second.post(&submit, &json!({})).await?.body;
    Ok(text(&agreed, "/grant"))
}

/// A named position under a grant; its id.
pub async fn subscription(consumer: &Agency, grant: &str, name: &str, from: &str) -> Done<String> {
    let body = json!({ "name": name, "from": from });
    let made = consumer.first.post(&format!("/grants/{grant}/subscriptions"), &body).await?;
    Ok(text(&made.body, "/id"))
}

/// A credit code whose checks are right, for an organisation that does not exist.
fn credit_code(number: u64) -> Option<String> {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let letter = |at: u32| char::from(LETTERS[(number >> (5 * at)) as usize % LETTERS.len()]);
    let body: String = (0..8).map(letter).collect();
    let checks = LETTERS.iter().flat_map(|one| LETTERS.iter().map(move |two| (*one, *two)));
    checks
        .map(|(one, two)| format!("11999999{body}{}{}", char::from(one), char::from(two)))
        .find(|code| code.parse::<Uscc>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_gives_a_right_code() {
        for number in [0, 1, 31, 12_345_678_901, u64::MAX] {
            assert!(credit_code(number).is_some_and(|code| code.parse::<Uscc>().is_ok()), "{number}");
        }
    }
}
