//! Every route of the registry. What stands in a context is served below `/contexts/{context}` too.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing;

use super::error::render;
use super::media::called_as_liked;
use super::{metadata, root, schemas};
use crate::http::frame::{Render, frame};
use crate::http::router::{no_such_address, no_such_method, too_many_connections};
use crate::http::{Route, Web};

macro_rules! routes {
    (
        of the whole { $($method:ident $path:literal => $handler:path, $summary:literal;)* }
        in contexts { $($method_in:ident $path_in:literal => $handler_in:path, $summary_in:literal;)* }
    ) => {
        pub const ROUTES: &[Route] = &[
            $(Route { method: stringify!($method), path: $path, summary: $summary },)*
            $(Route { method: stringify!($method_in), path: $path_in, summary: $summary_in },)*
        ];

        fn table() -> Router<Web> {
            let in_contexts = Router::new()$(.route($path_in, routing::$method_in($handler_in)))*;
            Router::new()
                $(.route($path, routing::$method($handler)))*
                .nest("/contexts/{context}", in_contexts.clone())
                .merge(in_contexts)
        }
    };
}

routes! {
    of the whole {
        get "/" => root::root, "It lives";
        get "/v1/metadata/id" => metadata::id, "What it is called";
        get "/v1/metadata/version" => metadata::version, "Its version";
        get "/v1/metadata/deployment" => metadata::deployment, "How it is deployed";
    }

    in contexts {
        get "/schemas/types" => schemas::types, "Kinds of schemas";
    }
}

/// The registry with its frame.
pub fn router(app: Web) -> Router {
    framed(table().fallback(no_such_address).method_not_allowed_fallback(no_such_method), app)
}

/// What an address is answered that holds its share of the connections already.
pub fn turning_away(app: Web) -> Router {
    framed(Router::new().fallback(too_many_connections), app)
}

fn framed(routes: Router<Web>, app: Web) -> Router {
    routes
        .layer(from_fn_with_state((app.clone(), render as Render), frame))
        .layer(from_fn(called_as_liked))
        .with_state(app)
}
