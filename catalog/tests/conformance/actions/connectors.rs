//! Connectors: files, orders, reports.

use serde_json::json;
use uuid::Uuid;

use changtong_catalog::account::Caller;
use changtong_catalog::actions::{self, ConnectorEnd, ConnectorFile, Order, Report};
use changtong_catalog::audit::ConnectorState;
use changtong_catalog::conformance;
use changtong_catalog::connector::{Desired, Reporter};
use changtong_catalog::error::Code;
use changtong_catalog::ids::ResourceCode;
use changtong_catalog::resource::ShareType;
use changtong_catalog::store::Store;

use super::{Stage, at};

fn source(code: &ResourceCode, path: &str) -> ConnectorFile {
    ConnectorFile {
        name: "flights-in".to_owned(),
        end: ConnectorEnd::Source(code.clone()),
        spec: json!({"source": {"file": {"path": path}}}),
    }
}

async fn a_file_is_applied_again_without_an_event(store: &Store) {
    let stage = Stage::set(store).await;
    let (office, other) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&office, ShareType::Conditional).await;
    let act = stage.act(&office.integrator, 30);
    let made = actions::apply_connector(store, &act, source(&resource.code, "a.csv")).await.unwrap().object;
    assert_eq!((made.desired, made.version), (Desired::Running, 1));
    let same = actions::apply_connector(store, &act, source(&resource.code, "a.csv")).await.unwrap().object;
    assert_eq!(same, made);
    let act = stage.act(&office.integrator, 31);
    let changed =
        actions::apply_connector(store, &act, source(&resource.code, "b.csv")).await.unwrap().object;
    assert_eq!((changed.id, changed.version), (made.id, 2));
    let foreign = stage.act(&other.integrator, 30);
    let foreign = actions::apply_connector(store, &foreign, source(&resource.code, "a.csv")).await;
    assert_eq!(foreign.unwrap_err().code, Code::NotFound, "a source fills its own agency's resource");
    let mut named = source(&resource.code, "a.csv");
    named.name = "../x".to_owned();
    let named = actions::apply_connector(store, &act, named).await;
    assert_eq!(named.unwrap_err().code, Code::Invalid);

    let asked = stage.published(&office, ShareType::Unconditional).await;
    let grant = stage.submitted(&other, &asked).await.grant.unwrap();
    let sink = ConnectorFile {
        name: "flights-out".to_owned(),
        end: ConnectorEnd::Sink(grant),
        spec: json!({"sink": {"file": {"path": "out.csv"}}}),
    };
    let act = stage.act(&other.integrator, 32);
    assert!(actions::apply_connector(store, &act, sink.clone()).await.is_ok());
    let provider = stage.act(&office.integrator, 32);
    let provider = actions::apply_connector(store, &provider, sink).await;
    assert_eq!(provider.unwrap_err().code, Code::NotFound, "a sink reads its own agency's grant");
    let created = ["connector.created", "connector.changed", "connector.created"];
    assert_eq!(stage.events_from(30).await, created);
}

async fn orders_are_kept_for_the_runner(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let resource = stage.published(&office, ShareType::Conditional).await;
    let act = stage.act(&office.integrator, 30);
    actions::apply_connector(store, &act, source(&resource.code, "a.csv")).await.unwrap();
    let order = async |seconds: i64, order: Order| {
        let act = stage.act(&office.integrator, seconds);
        actions::order_connector(store, &act, "flights-in", None, order).await.unwrap().object
    };
    assert_eq!(order(31, Order::Pause).await.desired, Desired::Paused);
    assert_eq!(order(32, Order::Run).await.desired, Desired::Running);
    assert_eq!(order(33, Order::Confirm).await.confirmations, 1);
    let act = stage.act(&office.integrator, 33);
    let running = actions::order_connector(store, &act, "flights-in", None, Order::Reset).await;
    assert_eq!(running.unwrap_err().code, Code::InvalidState, "reset only while stopped");
    let stopped = order(34, Order::Stop).await;
    assert_eq!((stopped.desired, stopped.version), (Desired::Stopped, 5));
    assert_eq!(order(35, Order::Reset).await.resets, 1);
    let by_head = stage.act(&office.head, 36);
    let by_head = actions::order_connector(store, &by_head, "flights-in", None, Order::Run).await;
    assert_eq!(by_head.unwrap_err().code, Code::Forbidden);
    let act = stage.act(&office.integrator, 36);
    let none = actions::order_connector(store, &act, "none", None, Order::Run).await;
    assert_eq!(none.unwrap_err().code, Code::NotFound);
    actions::remove_connector(store, &act, "flights-in").await.unwrap();
    let gone = actions::remove_connector(store, &act, "flights-in").await;
    assert_eq!(gone.unwrap_err().code, Code::NotFound);
    assert_eq!(
        stage.events_from(31).await,
        [
            "connector.state",
            "connector.state",
            "connector.confirmed",
            "connector.state",
            "connector.reset",
            "connector.removed"
        ]
    );
}

async fn only_a_changed_state_is_an_event(store: &Store) {
    let stage = Stage::set(store).await;
    let office = stage.provider().await;
    let resource = stage.published(&office, ShareType::Conditional).await;
    let act = stage.act(&office.integrator, 30);
    let id = actions::apply_connector(store, &act, source(&resource.code, "a.csv")).await.unwrap().object.id;
    let report = async |seconds: i64, state: ConnectorState, error: Option<Code>, lag: i64| {
        let report = Report { state, error, details: json!({"lag": lag}) };
        actions::report_connector(store, at(seconds), &stage.ids, id, &report).await.unwrap()
    };
    assert!(report(31, ConnectorState::Running, None, 5).await);
    assert!(report(32, ConnectorState::Running, None, 3).await);
    assert!(report(33, ConnectorState::Failed, Some(Code::PathOutsideRoot), 3).await);
    let status = store.read().await.unwrap().connector(id).await.unwrap().unwrap().status;
    assert_eq!((&status["state"], &status["error"]), (&json!("failed"), &json!("path_outside_root")));
    assert_eq!(status["details"]["lag"], 3);
    assert_eq!(stage.events_from(31).await, ["connector.state", "connector.state"]);
    actions::remove_connector(store, &act, "flights-in").await.unwrap();
    assert!(!report(34, ConnectorState::Running, None, 0).await);
}

async fn a_process_of_its_own_is_heard(store: &Store) {
    let stage = Stage::set(store).await;
    let (office, other) = (stage.provider().await, stage.consumer().await);
    let resource = stage.published(&office, ShareType::Conditional).await;
    let own = |process: &str| ConnectorFile {
        spec: json!({"process": process, "source": {"file": {"path": "a.csv"}}}),
        ..source(&resource.code, "a.csv")
    };
    let act = stage.act(&office.integrator, 30);
    let made = actions::apply_connector(store, &act, own("own")).await.unwrap().object;
    assert!(made.is_silent(at(30)));
    let hear = async |caller: &Caller, seconds: i64, node: u128, state: ConnectorState, lag: i64| {
        let reporter = Reporter { node: Uuid::from_u128(node), version: "1".to_owned() };
        let report = Report { state, error: None, details: json!({ "lag": lag }) };
        actions::hear_connector(store, &stage.act(caller, seconds), "flights-in", &reporter, &report).await
    };
    let heard = hear(&office.integrator, 31, 1, ConnectorState::Running, 9).await.unwrap();
    assert_eq!((heard.id, heard.desired, heard.version), (made.id, Desired::Running, 1));
    assert_eq!(heard.status["node"], json!(Uuid::from_u128(1)));
    assert!(!heard.is_silent(at(31)));
    // What says nothing new is kept now and then only.
    hear(&office.integrator, 33, 1, ConnectorState::Running, 8).await.unwrap();
    let kept = store.read().await.unwrap().connector(made.id).await.unwrap().unwrap();
    assert_eq!(kept.status["details"]["lag"], 9);
    let heard = hear(&office.integrator, 37, 1, ConnectorState::Running, 7).await.unwrap();
    assert_eq!(heard.status["details"]["lag"], 7);
    let second = hear(&office.integrator, 38, 2, ConnectorState::Running, 7).await;
    assert_eq!(second.unwrap_err().code, Code::Conflict, "one process at a time");
    let by_head = hear(&office.head, 38, 1, ConnectorState::Running, 7).await;
    assert_eq!(by_head.unwrap_err().code, Code::Forbidden);
    let foreign = hear(&other.integrator, 38, 1, ConnectorState::Running, 7).await;
    assert_eq!(foreign.unwrap_err().code, Code::NotFound);
    hear(&office.integrator, 39, 1, ConnectorState::Stopped, 7).await.unwrap();
    let second = hear(&office.integrator, 40, 2, ConnectorState::Running, 7).await;
    assert!(second.is_ok(), "the first one said that it ended");
    let expected = ["connector.state", "connector.state", "connector.state"];
    assert_eq!(stage.events_from(31).await, expected);
    actions::apply_connector(store, &stage.act(&office.integrator, 41), own("server")).await.unwrap();
    let managed = hear(&office.integrator, 42, 2, ConnectorState::Running, 7).await;
    assert_eq!(managed.unwrap_err().code, Code::InvalidState, "the server runs it now");
}

conformance!(
    a_process_of_its_own_is_heard,
    a_file_is_applied_again_without_an_event,
    orders_are_kept_for_the_runner,
    only_a_changed_state_is_an_event,
);
