//! Every route of the registry × every kind of caller. A route without a row fails, and so does a row without a route.
//!
//! Columns as in `access_matrix.rs`: no key, a bad key | editor, reviewer, integrator of the subject's owner | of a second
//! agency | of a third | authority, operator, auditor. Letters: `U` 401, `F` 403, `N` 404, `A` anything else: let in.

use std::collections::BTreeSet;

use changtong::http::registry::ROUTES;

use crate::support::{Client, Pair, Reply, TestApp, World};

const TABLE: &str = "
get     /                                                   UU AAA AAA AAA AAA
get     /v1/metadata/id                                     UU AAA AAA AAA AAA
get     /v1/metadata/version                                UU AAA AAA AAA AAA
get     /v1/metadata/deployment                             UU AAA AAA AAA AAA
get     /schemas/types                                      UU AAA AAA AAA AAA
";

const BAD_KEY: &str = "ctk_notakey";

struct Row {
    method: &'static str,
    path: &'static str,
    expected: String,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        Row { method, path, expected: words.collect() }
    };
    TABLE.lines().filter(|line| !line.is_empty()).map(row).collect()
}

#[test]
fn every_route_has_its_row() {
    let tested: BTreeSet<_> = rows().iter().map(|row| (row.method, row.path)).collect();
    let served: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(tested, served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_it_should() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let world = World::of(&app).await;
    let mut wrong = Vec::new();
    for row in rows() {
        let mut found = String::new();
        for caller in callers(&app, &world) {
            found.push(outcome(&caller, row.method, row.path).await);
        }
        if found != row.expected {
            wrong
                .push(format!("{} {}: found {found}, the table says {}", row.method, row.path, row.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.stop().await;
}

async fn outcome(caller: &Client, method: &str, path: &str) -> char {
    match Reply::of(caller.request(method, path)).await.status {
        401 => 'U',
        403 => 'F',
        404 => 'N',
        _ => 'A',
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
