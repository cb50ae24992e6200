//! Every route × every kind of caller. A route without a row fails, and so does a row without a route.
//!
//! Columns: no key, a bad key | editor, reviewer, integrator of the provider | of the consumer | of a third agency |
//! authority, operator, auditor. Letters: `U` 401, `F` 403, `N` 404 (as if it did not exist), `A` anything else: let in.
//! Calls that would change something name a version that never is, so that being let in changes nothing.

use changtong::http::ROUTES;
use serde_json::{Value, json};

use crate::support::{
    AccessTable, BAD_KEY, Client, Pair, RESOURCE, Row, TestApp, World, request_file, resource_file,
};

const TABLE: AccessTable = AccessTable(
    "
get  /openapi.json                                AA AAA AAA AAA AAA
get  /api/v1/whoami                               UU AAA AAA AAA AAA
get  /api/v1/agencies                             UU AAA AAA AAA AAA
post /api/v1/agencies                             UU FFF FFF FFF AFF
get  /api/v1/agencies/{code}                      UU AAA AAA AAA AAA
post /api/v1/agencies/{code}/suspend              UU FFF FFF FFF AFF
post /api/v1/agencies/{code}/resume               UU FFF FFF FFF AFF
get  /api/v1/agencies/{code}/accounts             UU AAA NNN NNN ANN
post /api/v1/agencies/{code}/accounts             UU FFF FFF FFF AFF
post /api/v1/accounts/{id}/suspend                UU FFF FFF FFF AFF
post /api/v1/accounts/{id}/resume                 UU FFF FFF FFF AFF
get  /api/v1/accounts/{id}/keys                   UU NNA NNN NNN ANN
post /api/v1/accounts/{id}/keys                   UU NNA NNN NNN ANN
get  /api/v1/keys/{id}                            UU NNA NNN NNN ANN
post /api/v1/keys/{id}/revoke                     UU NNA NNN NNN ANN
get  /api/v1/resources                            UU AAA AAA AAA AAA
post /api/v1/resources                            UU AFF FFF FFF FFF
get  /api/v1/resources/{code}                     UU AAA AAA AAA AAA
put  /api/v1/resources/{code}                     UU AFF FFF FFF FFF
post /api/v1/resources/{code}/submit              UU AFF FFF FFF FFF
post /api/v1/resources/{code}/approve             UU FAF FFF FFF FFF
post /api/v1/resources/{code}/reject              UU FAF FFF FFF FFF
post /api/v1/resources/{code}/publish             UU FAF FFF FFF FFF
post /api/v1/resources/{code}/suspend             UU FAF FFF FFF AFF
post /api/v1/resources/{code}/resume              UU FAF FFF FFF AFF
post /api/v1/resources/{code}/revise              UU FAF FFF FFF FFF
post /api/v1/resources/{code}/retire              UU FAF FFF FFF FFF
post /api/v1/resources/{code}/new-generation      UU FAF FFF FFF FFF
get  /api/v1/resources/{code}/schema              UU AAA AAA AAA AAA
post /api/v1/resources/{code}/schema/check        UU AAF FFF FFF FFF
post /api/v1/resources/{code}/records             UU FFA FFF FFF FFF
get  /api/v1/resources/{code}/records             UU FFA FFF FFF FFF
get  /api/v1/requests                             UU AAA AAA AAA AAA
post /api/v1/requests                             UU FFF AFF FFF FFF
get  /api/v1/requests/{id}                        UU AAA AAA NNN ANN
put  /api/v1/requests/{id}                        UU FFF AFF NNN FNN
post /api/v1/requests/{id}/submit                 UU FFF FAF NNN FNN
post /api/v1/requests/{id}/disclosure             UU FAF FFF NNN FNN
post /api/v1/requests/{id}/agree                  UU FAF FFF NNN FNN
post /api/v1/requests/{id}/refuse                 UU FAF FFF NNN FNN
post /api/v1/requests/{id}/need-material          UU FAF FFF NNN FNN
post /api/v1/requests/{id}/withdraw               UU FFF AAF NNN FNN
get  /api/v1/grants                               UU AAA AAA AAA AAA
get  /api/v1/grants/{id}                          UU AAA AAA NNN ANN
post /api/v1/grants/{id}/suspend                  UU FAF FFF NNN ANN
post /api/v1/grants/{id}/resume                   UU FAF FFF NNN ANN
post /api/v1/grants/{id}/revoke                   UU FAF FFF NNN FNN
get  /api/v1/grants/{id}/schema                   UU AAA AAA NNN ANN
post /api/v1/grants/{id}/schema                   UU FFF FAA NNN FNN
get  /api/v1/grants/{id}/subscriptions            UU AAA AAA NNN ANN
post /api/v1/grants/{id}/subscriptions            UU FFF FFA NNN FNN
get  /api/v1/subscriptions/{id}                   UU AAA AAA NNN ANN
get  /api/v1/subscriptions/{id}/records           UU FFF FFA NNN FNN
post /api/v1/subscriptions/{id}/acks              UU FFF FFA NNN FNN
post /api/v1/subscriptions/{id}/seek              UU FFF FFA NNN FNN
get  /api/v1/connectors                           UU FFA FFA FFA FAF
post /api/v1/connectors                           UU FFA FFN FFN FFF
get  /api/v1/connectors/{name}                    UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/pause              UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/resume             UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/stop               UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/start              UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/reset              UU FFA FFN FFN FFF
post /api/v1/connectors/{name}/confirm            UU FFA FFN FFN FFF
put  /api/v1/connectors/{name}/status             UU FFA FFN FFN FFF
get  /api/v1/connectors/{name}/position           UU FFA FFN FFN FFF
delete /api/v1/connectors/{name}                  UU FFA FFN FFN FFF
get  /api/v1/quarantine                           UU FFA NNN NNN NNN
get  /api/v1/quarantine/{id}                      UU FFA NNN NNN NNN
post /api/v1/quarantine/{id}/replay               UU FFA NNN NNN NNN
post /api/v1/quarantine/{id}/discard              UU FFA NNN NNN NNN
get  /api/v1/audit/events                         UU FFF FFF FFF FFA
",
);

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    TABLE.names_each_of(ROUTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_it_should() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let things = Things::of(&world).await;
    let callers = callers(&app, &world);
    TABLE.holds(&callers, async |caller, row| things.outcome(caller, row).await).await;
    app.stop().await;
}

fn callers(app: &TestApp, world: &World) -> Vec<Client> {
    let mut callers = vec![app.nobody(), app.client(BAD_KEY)];
    for agency in [&world.provider, &world.consumer, &world.stranger] {
        callers.extend([&agency.editor, &agency.reviewer, &agency.integrator].map(Client::clone));
    }
    callers.extend([&world.authority, &world.operator, &world.auditor].map(Client::clone));
    callers
}

/// What the paths name: an entry, a request that waits, a grant with a subscription, a record set aside.
struct Things {
    account: String,
    key: String,
    spare_account: String,
    spare_key: String,
    request: String,
    grant: String,
    subscription: String,
    set_aside: String,
}

impl Things {
    async fn of(world: &World) -> Self {
        world.entry(resource_file("conditional")).await;
        let records = format!("/api/v1/resources/{RESOURCE}/records?on_invalid=quarantine");
        let lines = "{\"station\":\"JFK\",\"hour\":1}\n{\"station\":\"JFK\",\"hour\":\"x\"}\n";
        let request = world.provider.integrator.request("post", &records);
        let request = request.header("content-type", "application/x-ndjson").body(lines);
        crate::support::Reply::of(request).await.expect(200);
        let list = format!("/api/v1/quarantine?resource={RESOURCE}");
        let set_aside = world.provider.integrator.get(&list).await.expect(200)["items"][0]["id"].clone();

        let (agreed, _) = world.request(request_file(RESOURCE, &["station", "hour"], None)).await;
        let agree = format!("/api/v1/requests/{agreed}/agree");
        let grant = text(&world.provider.reviewer.post(&agree, json!({})).await.expect(200)["grant"]);
        let subscription = world.subscribe(&grant, "copy").await;
        let (request, _) = world.request(request_file(RESOURCE, &["station", "hour"], None)).await;

        let spare = json!({ "name": "spare", "roles": ["editor"] });
        let made = world.authority.post("/api/v1/agencies/forestry/accounts", spare).await.expect(201);
        let keys = format!("/api/v1/accounts/{}/keys", world.provider.integrator_account);
        let key = world.authority.post(&keys, json!({ "roles": ["integrator"] })).await.expect(201);
        Self {
            account: world.provider.integrator_account.clone(),
            key: world.provider.integrator_key.clone(),
            spare_account: text(&made["id"]),
            spare_key: text(&key["id"]),
            request,
            grant,
            subscription,
            set_aside: text(&set_aside),
        }
    }

    async fn outcome(&self, caller: &Client, row: &Row) -> char {
        let path = self.path(row);
        let mut request = caller.request(row.method, &path).header("if-match", "\"99999\"");
        if row.path.ends_with("/records") && row.method == "post" {
            request = request.header("content-type", "application/x-ndjson").body("{\"nothing\":1}");
        } else if row.method != "get" {
            request = request.json(&self.body(row));
        }
        match crate::support::Reply::of(request).await.status {
            401 => 'U',
            403 => 'F',
            404 => 'N',
            _ => 'A',
        }
    }

    fn path(&self, row: &Row) -> String {
        let noun = row.path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
        let verb = row.path.rsplit('/').next().unwrap_or_default();
        let named = match (noun, verb) {
            // Suspended for a while: nobody else works for it.
            ("agencies", "suspend" | "resume") => "aquaculture",
            ("agencies", _) => "meteorology",
            ("accounts", "suspend" | "resume") => &self.spare_account,
            ("accounts", _) => &self.account,
            ("keys", "revoke") => &self.spare_key,
            ("keys", _) => &self.key,
            ("resources", _) => RESOURCE,
            ("requests", _) => &self.request,
            ("grants", _) => &self.grant,
            ("subscriptions", _) => &self.subscription,
            ("connectors", _) => "observations-in",
            _ => &self.set_aside,
        };
        let path = row.path.replace("{code}", named).replace("{id}", named).replace("{name}", named);
        match (noun, verb) {
            ("quarantine", "quarantine") => format!("{path}?resource={RESOURCE}"),
            ("connectors", "position") => format!("{path}?source={named}"),
            _ => path,
        }
    }

    /// A body that is understood, and where no version protects it one that is refused once the caller is let in.
    fn body(&self, row: &Row) -> Value {
        match row.path.trim_start_matches("/api/v1/") {
            "agencies" => json!({ "code": "no code", "name": "x" }),
            "agencies/{code}/accounts" => json!({ "name": "", "roles": ["editor"] }),
            "accounts/{id}/keys" => json!({ "roles": ["integrator"], "expires_at": "2000-01-01T00:00:00Z" }),
            "resources" | "resources/{code}" | "resources/{code}/revise" => resource_file("conditional"),
            "resources/{code}/suspend" | "resources/{code}/retire" => json!({ "cause": "security" }),
            "connectors" => json!({ "name": "observations-in", "resource": RESOURCE,
                "source": { "file": { "path": "observations.csv", "format": "csv", "mode": "append" } } }),
            "connectors/{name}/status" => {
                json!({ "node": "00000000-0000-0000-0000-000000000000", "version": "0",
                "state": "running", "error": null, "details": {} })
            }
            "requests" | "requests/{id}" => request_file(RESOURCE, &["station", "hour"], None),
            "requests/{id}/refuse" => json!({ "reason": "other" }),
            "requests/{id}/need-material" => json!({ "text": "?" }),
            "grants/{id}/suspend" | "grants/{id}/revoke" => json!({ "cause": "security" }),
            "grants/{id}/schema" => json!({ "version": 99 }),
            "grants/{id}/subscriptions" => json!({ "name": "copy", "from": "start" }),
            "subscriptions/{id}/acks" => json!({ "next": "no cursor" }),
            "subscriptions/{id}/seek" => json!({ "from": "no cursor" }),
            _ => json!({}),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}
