//! A subject that stands for another: every route that names it in its path, or an id's route in its query, means the
//! other, and asks of that one what the caller may.

use serde_json::{Value, json};

use super::{delete, id_of, one, put, refused, two, wrong};
use crate::support::{TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(an_alias_is_the_subject_it_stands_for, nobody_may_more_by_an_alias, an_alias_is_followed_once,);

async fn an_alias_is_the_subject_it_stands_for(app: &TestApp) {
    let registry = app.registrant(World::of(app).await.provider.integrator.key());
    put(&registry, "/config/new", json!({ "alias": "old" })).await.expect(200);
    let first = registry.post("/subjects/new/versions", one()).await;
    assert_eq!((&first.expect(200)["subject"], &first.json()["version"]), (&json!("old"), &json!(1)));
    let first = id_of(&first);
    assert_eq!(registry.get("/subjects").await.expect(200), json!(["old"]));
    let text = one()["schema"].as_str().expect("a schema").to_owned();
    // What is judged is what would be registered.
    for versions in ["versions", "versions/latest"] {
        let path = format!("/compatibility/subjects/new/{versions}");
        assert_eq!(registry.post(&path, wrong()).await.expect(200)["is_compatible"], false);
    }
    refused(&registry.post("/subjects/new/versions", wrong()).await, 409);
    let second = registry.post("/subjects/:.:new/versions", two()).await;
    assert_eq!(second.expect(200)["version"], 2);
    let reads = [
        ("/subjects/new/versions", json!([1, 2])),
        ("/subjects/new/versions?deleted=true", json!([1, 2])),
        ("/subjects/new/versions/1/referencedby", json!([])),
    ];
    for (path, expected) in reads {
        assert_eq!(registry.get(path).await.expect(200), expected, "{path}");
    }
    assert_eq!(registry.get("/subjects/new/versions/1").await.expect(200)["subject"], "old");
    assert_eq!(registry.get("/subjects/new/versions/1/schema").await.text, text);
    assert_eq!(registry.post("/subjects/new", one()).await.expect(200)["subject"], "old");
    let mut owned = two();
    owned["metadata"] = json!({ "properties": { "owner": "weather" } });
    assert_eq!(registry.post("/subjects/new/versions", owned).await.expect(200)["version"], 3);
    let newest = registry.get("/subjects/new/metadata?key=owner&value=weather").await.expect(200);
    assert_eq!((&newest["subject"], &newest["version"]), (&json!("old"), &json!(3)));

    let outer = json!({ "type": "array", "items": "weather.Observation" }).to_string();
    let reference = json!([{ "name": "weather.Observation", "subject": "old", "version": 1 }]);
    let body = json!({ "schema": outer, "references": reference });
    let outer = id_of(&registry.post("/subjects/outer/versions", body).await);
    assert_eq!(registry.get("/subjects/new/versions/1/referencedby").await.expect(200), json!([outer]));
    for (tail, expected) in
        [("subjects", json!(["old"])), ("versions", json!([{ "subject": "old", "version": 1 }]))]
    {
        let path = format!("/schemas/ids/{first}/{tail}?subject=new");
        assert_eq!(registry.get(&path).await.expect(200), expected, "{path}");
    }
    put(&registry, "/config/there", json!({ "alias": ":.x:s" })).await.expect(200);
    let inside = registry.post("/subjects/there/versions", two()).await;
    assert_eq!(inside.expect(200)["subject"], ":.x:s");
    let id = id_of(&inside);
    let by_id = registry.get(&format!("/schemas/ids/{id}?subject=there")).await.expect(200);
    assert_eq!(by_id["schema"], two()["schema"], "of the other context");
    let by_id = registry.get(&format!("/schemas/ids/{id}/schema?subject=there")).await;
    assert_eq!(
        by_id.json(),
        serde_json::from_str::<Value>(two()["schema"].as_str().expect("a schema")).expect("JSON")
    );

    delete(&registry, "/subjects/outer").await.expect(200);
    assert_eq!(delete(&registry, "/subjects/new/versions/1").await.expect(200), json!(1));
    assert_eq!(registry.get("/subjects/old/versions").await.expect(200), json!([2, 3]));
    assert_eq!(delete(&registry, "/subjects/new").await.expect(200), json!([2, 3]));
    refused(&registry.get("/subjects/old/versions").await, 40401);
    // Its settings are its own, and it is itself again without the alias.
    assert_eq!(registry.get("/config/new").await.expect(200), json!({ "alias": "old" }));
    refused(&registry.get("/config/old").await, 40408);
    put(&registry, "/config/new", json!({ "alias": null })).await.expect(200);
    assert_eq!(registry.post("/subjects/new/versions", one()).await.expect(200)["subject"], "new");
}

async fn nobody_may_more_by_an_alias(app: &TestApp) {
    let world = World::of(app).await;
    let owner = app.registrant(world.provider.integrator.key());
    let other = app.registrant(world.stranger.integrator.key());
    let authority = app.registrant(&app.authority);
    let id = id_of(&owner.post("/subjects/theirs/versions", one()).await);
    put(&other, "/config/mine", json!({ "alias": "theirs" })).await.expect(200);
    // Nor is who may change both led to what he did not name.
    for caller in [&other, &authority] {
        for path in ["", "/1", "/1/schema", "/1/referencedby"] {
            refused(&caller.get(&format!("/subjects/mine/versions{path}")).await, 40401);
        }
        refused(&caller.get("/subjects/mine/metadata?key=a&value=b").await, 40401);
        refused(&caller.post("/subjects/mine", one()).await, 40401);
        refused(&delete(caller, "/subjects/mine/versions/1").await, 40401);
        refused(&delete(caller, "/subjects/mine/versions/1?permanent=true").await, 40401);
    }
    refused(&delete(&authority, "/subjects/mine").await, 40401);
    // A name that nobody has yet is opened by the alias's own agency alone; for the authority the subject itself is meant.
    put(&other, "/config/own", json!({ "alias": "fresh" })).await.expect(200);
    assert_eq!(authority.post("/subjects/own/versions", wrong()).await.expect(200)["subject"], "own");
    assert_eq!(other.post("/subjects/own/versions", wrong()).await.expect(200)["subject"], "fresh");
    assert_eq!(delete(&authority, "/subjects/own").await.expect(200), json!([1]));
    assert_eq!(other.get("/subjects/fresh/versions").await.expect(200), json!([1]), "he named another");
    for tail in ["", "/schema", "/subjects", "/versions"] {
        refused(&other.get(&format!("/schemas/ids/{id}{tail}?subject=mine")).await, 40403);
    }
    assert_eq!(other.post("/subjects/mine/versions", two()).await.expect(200)["subject"], "mine");
    assert_eq!(owner.get("/subjects/theirs/versions").await.expect(200), json!([1]));
    // Nor does anybody follow an alias of a subject that is not his to see.
    put(&owner, "/config/hidden", json!({ "alias": "theirs" })).await.expect(200);
    refused(&other.post("/subjects/hidden/versions", two()).await, 40301);
    refused(&other.get("/subjects/hidden/versions").await, 40401);
    assert_eq!(authority.get("/subjects/hidden/versions").await.expect(200), json!([1]));
    // A subject of the bus is opened by nobody, and changed by its entry alone, whatever it is called here.
    put(&other, "/config/mine", json!({ "alias": "ct.r.9-value" })).await.expect(200);
    refused(&other.post("/subjects/mine/versions", two()).await, 42205);
    world.entry(resource_file("unconditional")).await;
    let subjects = other.get("/subjects").await.expect(200);
    let mut names = subjects.as_array().expect("subjects").iter().filter_map(Value::as_str);
    let values = names.find(|name| name.ends_with("-value")).expect("the subject of its values");
    put(&other, "/config/mine", json!({ "alias": values })).await.expect(200);
    assert_eq!(other.get("/subjects/mine/versions/latest").await.expect(200)["subject"], values);
    refused(&other.post("/subjects/mine/versions", two()).await, 42205);
    refused(&delete(&other, "/subjects/mine").await, 42205);
    // A whole context is no subject.
    put(&other, "/config/mine", json!({ "alias": ":.x:" })).await.expect(200);
    refused(&other.post("/subjects/mine/versions", two()).await, 42208);
    refused(&delete(&other, "/subjects/mine/versions/1").await, 40401);
}

async fn an_alias_is_followed_once(app: &TestApp) {
    let registry = app.registrant(World::of(app).await.provider.integrator.key());
    for (from, to) in [("a", "b"), ("b", "a"), ("self", "self"), ("c", "a")] {
        put(&registry, &format!("/config/{from}"), json!({ "alias": to })).await.expect(200);
    }
    for (from, to) in [("a", "b"), ("b", "a"), ("self", "self"), ("c", "a")] {
        let versions = format!("/subjects/{from}/versions");
        assert_eq!(registry.post(&versions, one()).await.expect(200)["subject"], to);
        assert_eq!(registry.get(&format!("{versions}/latest")).await.expect(200)["subject"], to);
    }
    assert_eq!(registry.get("/subjects").await.expect(200), json!(["a", "b", "self"]));
}
