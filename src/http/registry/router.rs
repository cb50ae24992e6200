//! Every route of the registry. All of it is served below `/contexts/{context}` too, which clients take as the address
//! of a registry.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing;

use super::error::render;
use super::media::called_as_liked;
use super::subjects::versions;
use super::{compatibility, config, contexts, metadata, mode, root, schemas, subjects};
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
                .route("/contexts/{context}/", routing::get(root::root))
                .nest("/contexts/{context}", in_contexts.clone())
                .merge(in_contexts)
        }
    };
}

routes! {
    of the whole {
        get "/" => root::root, "It lives";
        delete "/contexts/{context}" => contexts::remove, "A context without subjects goes";
    }

    in contexts {
        get "/contexts" => contexts::list, "Contexts";
        get "/v1/metadata/id" => metadata::id, "What it is called";
        get "/v1/metadata/version" => metadata::version, "Its version";
        get "/v1/metadata/deployment" => metadata::deployment, "How it is deployed";

        get "/schemas" => schemas::list, "Versions of many subjects";
        get "/schemas/types" => schemas::types, "Kinds of schemas";
        get "/schemas/ids/{id}" => schemas::by_id, "A schema by its id";
        get "/schemas/ids/{id}/schema" => schemas::text, "Its text alone";
        get "/schemas/ids/{id}/subjects" => schemas::subjects, "Subjects that have it";
        get "/schemas/ids/{id}/versions" => schemas::versions, "Versions that have it";
        get "/schemas/guids/{guid}" => schemas::by_guid, "A schema by its guid";
        get "/schemas/guids/{guid}/ids" => schemas::ids, "Its ids";

        get "/subjects" => subjects::list, "Names of subjects";
        post "/subjects/{subject}" => subjects::look_up, "Which version a schema is";
        delete "/subjects/{subject}" => subjects::delete, "All versions go, softly first";
        get "/subjects/{subject}/metadata" => subjects::metadata, "The newest version with these properties";
        get "/subjects/{subject}/versions" => versions::list, "Numbers of versions";
        post "/subjects/{subject}/versions" => versions::register, "A schema becomes the next version";
        get "/subjects/{subject}/versions/{version}" => versions::show, "One version";
        delete "/subjects/{subject}/versions/{version}" => versions::delete, "It goes, softly first";
        get "/subjects/{subject}/versions/{version}/schema" => versions::text, "Its text alone";
        get "/subjects/{subject}/versions/{version}/referencedby" => versions::referenced_by, "Who refers to it";

        post "/compatibility/subjects/{subject}/versions" => compatibility::all, "Would a schema be taken";
        post "/compatibility/subjects/{subject}/versions/{version}" => compatibility::one, "Is it compatible with one version";

        get "/config" => config::show, "What counts for everything";
        put "/config" => config::set, "Set it";
        delete "/config" => config::remove, "Back to what is built in";
        get "/config/{subject}" => config::show, "What is set of a subject";
        put "/config/{subject}" => config::set, "Set it";
        delete "/config/{subject}" => config::remove, "Back to what counts for everything";

        get "/mode" => mode::show, "The mode of everything";
        put "/mode" => mode::set, "Set it";
        delete "/mode" => mode::remove, "Back to READWRITE";
        get "/mode/{subject}" => mode::show, "The mode that is set of a subject";
        put "/mode/{subject}" => mode::set, "Set it";
        delete "/mode/{subject}" => mode::remove, "Back to what counts for everything";
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
