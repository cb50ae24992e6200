//! Every route, in the order of the API document (interface.md 4). The table is also what the OpenAPI document and the
//! access test are made from, so a route cannot be served without standing in both.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use changtong_catalog::error::{Code, Refusal};

use super::frame::{Render, frame};
use super::problem::{Problem, render};
use super::{
    Web, accounts, agencies, audit, connectors, grants, keys, openapi, quarantine, records, registry,
    requests, resources, subscriptions, whoami,
};

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Lower case, as in OpenAPI.
    pub method: &'static str,
    pub path: &'static str,
    pub summary: &'static str,
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path, $summary:literal;)*) => {
        pub const ROUTES: &[Route] =
            &[$(Route { method: stringify!($method), path: $path, summary: $summary }),*];

        fn table() -> Router<Web> {
            Router::new()$(.route($path, routing::$method($handler)))*
        }
    };
}

routes! {
    get "/openapi.json" => openapi::show, "This document; no credential";

    get "/api/v1/whoami" => whoami::show, "The caller's account, agency, roles, and what is left of its limits";

    get "/api/v1/agencies" => agencies::list, "Agencies that take part";
    post "/api/v1/agencies" => agencies::add, "An agency joins, with its first account and that account's key";
    get "/api/v1/agencies/{code}" => agencies::show, "One agency, by credit code or alias";
    post "/api/v1/agencies/{code}/suspend" => agencies::suspend, "All of the agency's calls are refused; answers last_left";
    post "/api/v1/agencies/{code}/resume" => agencies::resume, "The agency goes on";
    get "/api/v1/agencies/{code}/accounts" => accounts::list, "Accounts of an agency";
    post "/api/v1/agencies/{code}/accounts" => accounts::add, "A further account of an agency";
    post "/api/v1/accounts/{id}/suspend" => accounts::suspend, "The account's keys are refused from now on; answers last_left";
    post "/api/v1/accounts/{id}/resume" => accounts::resume, "The account goes on";
    get "/api/v1/accounts/{id}/keys" => keys::list, "API keys of an account";
    post "/api/v1/accounts/{id}/keys" => keys::issue, "A further API key; its text is shown once";
    get "/api/v1/keys/{id}" => keys::show, "One API key, without its secret";
    post "/api/v1/keys/{id}/revoke" => keys::revoke, "The key is refused from now on; answers last_left";

    get "/api/v1/resources" => resources::list, "Search the catalog";
    post "/api/v1/resources" => resources::draft, "A new entry; number and code are given here";
    get "/api/v1/resources/{code}" => resources::show, "One entry";
    put "/api/v1/resources/{code}" => resources::update, "Another file for a draft; of a published entry, a revision is proposed; needs If-Match";
    post "/api/v1/resources/{code}/submit" => resources::submit, "The editor hands it to the reviewer";
    post "/api/v1/resources/{code}/approve" => resources::approve, "The reviewer finds it right";
    post "/api/v1/resources/{code}/reject" => resources::reject, "Back to its editor, with a reason; of a published entry, what is proposed is dropped";
    post "/api/v1/resources/{code}/publish" => resources::publish, "Into the catalog: schemas are made, standing consent given";
    post "/api/v1/resources/{code}/suspend" => resources::suspend, "Publishing and delivery pause; answers last_left";
    post "/api/v1/resources/{code}/resume" => resources::resume, "Publishing and delivery go on";
    post "/api/v1/resources/{code}/revise" => resources::revise, "What is proposed comes into force, by another account; needs If-Match";
    post "/api/v1/resources/{code}/retire" => resources::retire, "For good; its grants end; answers last_left";
    post "/api/v1/resources/{code}/new-generation" => resources::new_generation, "What is still there into a new topic; readers begin or go on there";
    get "/api/v1/resources/{code}/schema" => resources::schema, "The Avro schemas in force, and all versions of the generation";
    post "/api/v1/resources/{code}/schema/check" => resources::schema_check, "What a proposed file or schema would break, and for whom";
    post "/api/v1/resources/{code}/records" => records::publish, "Publish records";
    get "/api/v1/resources/{code}/records" => records::own, "An owner's integrator reads its own resource";

    get "/api/v1/requests" => requests::list, "Requests of the caller's agency, on either side";
    post "/api/v1/requests" => requests::write, "A new request for data";
    get "/api/v1/requests/{id}" => requests::show, "One request";
    put "/api/v1/requests/{id}" => requests::update, "Another file for a request that is not submitted; needs If-Match";
    post "/api/v1/requests/{id}/submit" => requests::submit, "The consent of the consumer's data-office head";
    post "/api/v1/requests/{id}/disclosure" => requests::disclosure, "What the consumer would see if the provider agreed so";
    post "/api/v1/requests/{id}/agree" => requests::agree, "The provider agrees; a grant results";
    post "/api/v1/requests/{id}/refuse" => requests::refuse, "The provider refuses, with a reason";
    post "/api/v1/requests/{id}/need-material" => requests::need_material, "The provider asks for more";
    post "/api/v1/requests/{id}/withdraw" => requests::withdraw, "The consumer takes it back";

    get "/api/v1/grants" => grants::list, "Grants that the caller's agency holds or gave";
    get "/api/v1/grants/{id}" => grants::show, "One grant, and what is left of its rates";
    post "/api/v1/grants/{id}/suspend" => grants::suspend, "Delivery pauses; answers last_left";
    post "/api/v1/grants/{id}/resume" => grants::resume, "Delivery goes on";
    post "/api/v1/grants/{id}/revoke" => grants::revoke, "Delivery ends for good; answers last_left";
    get "/api/v1/grants/{id}/schema" => grants::schema, "The derived schema that its records have, and what the newest would change";
    post "/api/v1/grants/{id}/schema" => grants::move_schema, "The consumer takes the derived schema of a newer version";
    get "/api/v1/grants/{id}/subscriptions" => subscriptions::list, "Subscriptions of a grant";
    post "/api/v1/grants/{id}/subscriptions" => subscriptions::create, "A further named position within a grant";
    get "/api/v1/subscriptions/{id}" => subscriptions::show, "One subscription and its position";
    get "/api/v1/subscriptions/{id}/records" => records::deliver, "Read under the grant: lines, or with Accept: text/event-stream an event stream";
    post "/api/v1/subscriptions/{id}/acks" => subscriptions::acknowledge, "The consumer has what lies before the cursor";
    post "/api/v1/subscriptions/{id}/seek" => subscriptions::seek, "Set the position";

    get "/api/v1/connectors" => connectors::list, "Connectors of the caller's agency; of an operator, the states of all";
    post "/api/v1/connectors" => connectors::apply, "A connector's file: makes it, or gives it a new file";
    get "/api/v1/connectors/{name}" => connectors::show, "One connector: its file, orders, and how it goes";
    put "/api/v1/connectors/{name}/status" => connectors::status, "The report of one in its own process; the answer holds its orders";
    get "/api/v1/connectors/{name}/position" => connectors::position, "Where a source of it stands; ?source= as in Changtong-Source";
    delete "/api/v1/connectors/{name}" => connectors::remove, "It runs no more; what it published or wrote stays";
    post "/api/v1/connectors/{name}/pause" => connectors::pause, "It keeps its place and waits";
    post "/api/v1/connectors/{name}/resume" => connectors::resume, "It goes on after a pause";
    post "/api/v1/connectors/{name}/stop" => connectors::stop, "It ends behind the batch at work";
    post "/api/v1/connectors/{name}/start" => connectors::start, "It runs again";
    post "/api/v1/connectors/{name}/reset" => connectors::reset, "Its position is given up; only while it is stopped";
    post "/api/v1/connectors/{name}/confirm" => connectors::confirm, "What it asked about (max_deletes, an earlier file) is right";

    get "/api/v1/quarantine" => quarantine::list, "Records of a resource that were set aside";
    get "/api/v1/quarantine/{id}" => quarantine::show, "One record set aside, as it came";
    post "/api/v1/quarantine/{id}/replay" => quarantine::replay, "Publish it after all, as it came or as corrected in the body";
    post "/api/v1/quarantine/{id}/discard" => quarantine::discard, "It is not wanted";

    get "/api/v1/audit/events" => audit::events, "Every event; NDJSON streams all of them";
}

/// The API with its frame, and below `/registry` the Schema Registry with its own.
pub fn router(app: Web) -> Router {
    table()
        .fallback(no_such_address)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state((app.clone(), render as Render), frame))
        .with_state(app.clone())
        .nest_service("/registry", registry::router(app))
}

/// What an address is answered that holds its share of the connections already.
pub fn turning_away(app: Web) -> Router {
    Router::new()
        .fallback(too_many_connections)
        .layer(from_fn_with_state((app.clone(), render as Render), frame))
        .with_state(app)
}

pub(super) async fn too_many_connections(State(app): State<Web>) -> Response {
    Problem::from(app.shares.address_is_full()).into_response()
}

pub(super) async fn no_such_address(State(_): State<Web>) -> Response {
    Problem::from(Refusal::new(
        Code::NotFound,
        "没有这个地址;全部地址见 /openapi.json",
        "there is no such address; /openapi.json lists all of them",
    ))
    .into_response()
}

pub(super) async fn no_such_method(State(_): State<Web>) -> Response {
    Problem::from(Refusal::new(
        Code::MethodNotAllowed,
        "这个地址不支持该方法;见 /openapi.json",
        "this address does not take that method; see /openapi.json",
    ))
    .into_response()
}
