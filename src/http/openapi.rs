//! `GET /openapi.json`: the API document, made from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use super::router::{ROUTES, Route};

pub async fn show() -> Json<Value> {
    Json(document())
}

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
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if !route.path.starts_with("/api/") {
        operation["security"] = json!([]);
    }
    operation
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
