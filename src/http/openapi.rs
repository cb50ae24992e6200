//! `GET /openapi.json`: the API document, made from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use super::router::{ROUTES, Route};

pub async fn show() -> Json<Value> {
    Json(document())
}

const PUBLISH: &str = "/api/v1/resources/{code}/records";
const DELIVER: &str = "/api/v1/subscriptions/{id}/records";

/// Bodies with records (docs/records.md): method, path, media type and its shape.
const TAKEN: [(&str, &str, &str, &str); 4] = [
    (
        "post",
        PUBLISH,
        "application/x-ndjson",
        "One object a line; \"$op\":\"delete\" with the key items deletes a row",
    ),
    ("post", PUBLISH, "application/json", "An array of such objects"),
    ("post", PUBLISH, "text/csv", "A header row of item names or titles; a column $op"),
    (
        "post",
        PUBLISH,
        "application/avro",
        "An object container file, upserts only: its own schema is resolved against the resource's; codecs null and \
         deflate",
    ),
];

/// Answers with records, likewise.
const GIVEN: [(&str, &str, &str, &str); 5] = [
    (
        "get",
        DELIVER,
        "application/x-ndjson",
        "One object a record: id, op, k, published_at, record; last a line with next, window, digest",
    ),
    (
        "get",
        DELIVER,
        "application/avro",
        "An object container file of id, op, k, published_at, record; next, window and digest stand in the headers \
         Changtong-Next, Changtong-Window and Changtong-Digest",
    ),
    (
        "get",
        DELIVER,
        "text/event-stream",
        "An event a record; marks end windows, an event says why the stream ends",
    ),
    ("get", PUBLISH, "application/x-ndjson", "One object a record; last a line with next"),
    (
        "get",
        PUBLISH,
        "application/avro",
        "An object container file of id, op, k, published_at, record; next stands in the header Changtong-Next",
    ),
];

/// The document of the routes that are served.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Changtong 畅通",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The bus over which government agencies share data. Errors are application/problem+json \
                            with a code of the closed list; Accept-Language chooses zh or en.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "bearerFormat": "ctk_…" } },
            "responses": { "Problem": problem() },
        },
        "security": [{ "key": [] }],
    })
}

fn operation(route: &Route) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "responses": {
            "2XX": { "description": "Done" },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    let taken = contents(route, &TAKEN);
    if !taken.is_empty() {
        operation["requestBody"] = json!({ "required": true, "content": taken });
    }
    let given = contents(route, &GIVEN);
    if !given.is_empty() {
        operation["responses"]["2XX"]["content"] = given.into();
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if !route.path.starts_with("/api/") {
        operation["security"] = json!([]);
    }
    operation
}

/// Media types of the route's records, with their shapes.
fn contents(route: &Route, of: &[(&str, &str, &str, &str)]) -> Map<String, Value> {
    let own = of.iter().filter(|(method, path, ..)| (*method, *path) == (route.method, route.path));
    own.map(|(.., media, shape)| ((*media).to_owned(), json!({ "schema": { "description": shape } })))
        .collect()
}

fn operation_id(route: &Route) -> String {
    let words = route.path.trim_start_matches("/api/v1").split(['/', '.']).filter(|part| !part.is_empty());
    let words: Vec<String> = words.map(|part| part.trim_matches(['{', '}']).replace('-', "_")).collect();
    format!("{}_{}", route.method, words.join("_"))
}

fn problem() -> Value {
    json!({
        "description": "Refused or failed (RFC 9457)",
        "content": { "application/problem+json": { "schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code", "instance"],
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string", "description": "What happened and what to do, in the caller's language" },
                "code": { "type": "string", "description": "One of the closed list" },
                "instance": { "type": "string", "description": "The request's id, as in X-Request-Id" },
                "retryable": { "type": "boolean", "description": "The same call may succeed later" },
                "invalid": {
                    "type": "array",
                    "description": "Records that do not fit, the first 100",
                    "items": { "type": "object", "properties": {
                        "index": { "type": "integer" },
                        "path": { "type": "string" },
                        "reason": { "type": "string" },
                    } },
                },
            },
        } } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn operations_have_ids_of_their_own() {
        let ids: BTreeSet<String> = ROUTES.iter().map(operation_id).collect();
        assert_eq!(ids.len(), ROUTES.len());
    }

    #[test]
    fn records_have_their_media_types() {
        let document = document();
        let publish = &document["paths"][PUBLISH]["post"]["requestBody"]["content"];
        assert_eq!(publish.as_object().unwrap().len(), TAKEN.len());
        let deliver = &document["paths"][DELIVER]["get"]["responses"]["2XX"]["content"];
        assert!(deliver["application/avro"].is_object() && deliver["application/x-ndjson"].is_object());
        let own = &document["paths"][PUBLISH]["get"]["responses"]["2XX"]["content"];
        assert!(own["application/avro"].is_object() && own["application/x-ndjson"].is_object());
    }

    #[test]
    fn document_and_table_name_the_same_routes() {
        let document = document();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert((method.clone(), path.clone()));
            }
        }
        let served: BTreeSet<_> =
            ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
        assert_eq!(served.len(), ROUTES.len(), "a route stands in the table twice");
        assert_eq!(described, served);
    }
}
