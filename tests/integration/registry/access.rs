//! Every route of the registry × every kind of caller. A route without a row fails, and so does a row without a route.
//!
//! Columns as in `access_matrix.rs`: no key, a bad key | editor, reviewer, integrator of the subject's owner | of a second
//! agency | of a third | authority, operator, auditor. Letters: `U` 401, `F` 403, `N` as if there were no such subject,
//! version or schema, `A` anything else: let in.

use changtong::http::registry::ROUTES;
use serde_json::{Value, json};

use super::{id_of, one, put};
use crate::support::{AccessTable, BAD_KEY, Client, Pair, Reply, Row, TestApp, World};

const TABLE: AccessTable = AccessTable(
    "
get     /                                                   UU AAA AAA AAA AAA
get     /contexts                                           UU AAA AAA AAA AAA
delete  /contexts/{context}                                 UU FFF FFF FFF AAF
get     /v1/metadata/id                                     UU AAA AAA AAA AAA
get     /v1/metadata/version                                UU AAA AAA AAA AAA
get     /v1/metadata/deployment                             UU AAA AAA AAA AAA
get     /schemas                                            UU AAA AAA AAA AAA
get     /schemas/types                                      UU AAA AAA AAA AAA
get     /schemas/ids/{id}                                   UU AAA NNN NNN AAA
get     /schemas/ids/{id}/schema                            UU AAA NNN NNN AAA
get     /schemas/ids/{id}/subjects                          UU AAA NNN NNN AAA
get     /schemas/ids/{id}/versions                          UU AAA NNN NNN AAA
get     /schemas/guids/{guid}                               UU AAA NNN NNN AAA
get     /schemas/guids/{guid}/ids                           UU AAA AAA AAA AAA
get     /subjects                                           UU AAA AAA AAA AAA
post    /subjects/{subject}                                 UU AAA NNN NNN AAA
delete  /subjects/{subject}                                 UU AAA NNN NNN AFF
get     /subjects/{subject}/metadata                        UU AAA NNN NNN AAA
get     /subjects/{subject}/versions                        UU AAA NNN NNN AAA
post    /subjects/{subject}/versions                        UU AAA FFF FFF AFF
get     /subjects/{subject}/versions/{version}              UU AAA NNN NNN AAA
delete  /subjects/{subject}/versions/{version}              UU AAA NNN NNN AFF
get     /subjects/{subject}/versions/{version}/schema       UU AAA NNN NNN AAA
get     /subjects/{subject}/versions/{version}/referencedby UU AAA NNN NNN AAA
post    /compatibility/subjects/{subject}/versions          UU AAA AAA AAA AAA
post    /compatibility/subjects/{subject}/versions/{version} UU AAA NNN NNN AAA
get     /config                                             UU AAA AAA AAA AAA
put     /config                                             UU FFF FFF FFF AAF
delete  /config                                             UU FFF FFF FFF AAF
get     /config/{subject}                                   UU AAA AAA AAA AAA
put     /config/{subject}                                   UU AAA FFF FFF AFF
delete  /config/{subject}                                   UU AAA FFF FFF AFF
get     /mode                                               UU AAA AAA AAA AAA
put     /mode                                               UU FFF FFF FFF AAF
delete  /mode                                               UU FFF FFF FFF AAF
get     /mode/{subject}                                     UU AAA AAA AAA AAA
put     /mode/{subject}                                     UU AAA FFF FFF AFF
delete  /mode/{subject}                                     UU AAA FFF FFF AFF
",
);

#[test]
fn every_route_has_its_row() {
    TABLE.names_each_of(ROUTES);
}

#[test]
fn the_page_names_every_route() {
    let page = std::fs::read_to_string(crate::shell::project("docs/compatibility.md")).expect("the page");
    let missing = ROUTES.iter().filter(|route| {
        let (_, last) = route.path.rsplit_once('/').unwrap_or_default();
        !page.contains(&format!("{}`", route.path)) && !page.contains(&format!("`…/{last}`"))
    });
    assert_eq!(missing.map(|route| route.path).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_it_should() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let owner = app.registrant(world.provider.integrator.key());
    let mut body = one();
    body["metadata"] = json!({ "properties": { "of": "the provider" } });
    let registered = owner.post("/subjects/owned/versions", body).await;
    let guid = registered.expect(200)["guid"].as_str().expect("a guid").to_owned();
    let id = id_of(&registered);
    let callers = callers(&app, &world);
    let outcome = async |caller: &Client, row: &Row| {
        let path = row
            .path
            .replace("{subject}", "owned")
            .replace("{version}", "1")
            .replace("{id}", &id.to_string())
            .replace("{guid}", &guid)
            .replace("{context}", ".nowhere");
        if row.path.ends_with("config/{subject}") || row.path.ends_with("mode/{subject}") {
            put(&owner, "/config/owned", json!({ "compatibility": "BACKWARD" })).await.expect(200);
            put(&owner, "/mode/owned", json!({ "mode": "READWRITE" })).await.expect(200);
        }
        outcome(caller, row.method, &path).await
    };
    TABLE.holds(&callers, outcome).await;
    app.stop().await;
}

async fn outcome(caller: &Client, method: &str, path: &str) -> char {
    let mut request = caller.request(method, path);
    if method == "post" || method == "put" {
        request = request.json(&body(path));
    } else if method == "delete" && path.starts_with("/subjects") {
        // What stands is not deleted for good.
        request = caller.request(method, &format!("{path}?permanent=true"));
    }
    let reply = Reply::of(request).await;
    match reply.status {
        401 => 'U',
        403 => 'F',
        404 if [40401, 40402, 40403].map(|number| json!(number)).contains(&reply.json()["error_code"]) => 'N',
        _ => 'A',
    }
}

/// A body that changes nothing where it is let in.
fn body(path: &str) -> Value {
    match path {
        path if path.starts_with("/config") => json!({ "compatibility": "SOMEHOW" }),
        path if path.starts_with("/mode") => json!({ "mode": "READWRITE" }),
        _ => one(),
    }
}

fn callers(app: &TestApp, world: &World) -> Vec<Client> {
    let nobody = Client::new(format!("http://{}", app.registry), None);
    let mut callers = vec![nobody, app.registrant(BAD_KEY)];
    let agencies = [&world.provider, &world.consumer, &world.stranger];
    let of_agencies = agencies.iter().flat_map(|of| [&of.editor, &of.reviewer, &of.integrator]);
    let others = [&world.authority, &world.operator, &world.auditor];
    callers.extend(of_agencies.chain(others).map(|client| app.registrant(client.key())));
    callers
}
