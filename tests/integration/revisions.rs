//! A revision of a published entry takes two accounts, from outside: it is proposed, seen by its agency alone, and put
//! in force or rejected by another than its writer.

use serde_json::{Value, json};

use crate::support::{Client, Reply, TestApp, World, on_both_pairs, resource_file};

on_both_pairs!(a_revision_takes_two_and_is_its_agencys_until_then, what_revises_is_nothing_or_a_whole_file);

const SECRET: &str = "尚未生效的名称";

fn renamed() -> Value {
    let mut file = resource_file("conditional");
    file["title"] = SECRET.into();
    file
}

async fn post(caller: &Client, path: &str, version: &Value, body: Option<Value>) -> Reply {
    let request = caller.request("post", path).header("if-match", format!("\"{version}\""));
    Reply::of(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

async fn a_revision_takes_two_and_is_its_agencys_until_then(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    let path = format!("/api/v1/resources/{code}");
    let (editor, reviewer) = (&world.provider.editor, &world.provider.reviewer);
    let before = world.stranger.editor.get(&path).await.expect(200);
    let unnamed = Reply::of(editor.request("put", &path).json(&renamed())).await;
    assert_eq!((unnamed.status, unnamed.code()), (428, "precondition_required".to_owned()));
    let by_others =
        Reply::of(reviewer.request("put", &path).header("if-match", "\"4\"").json(&renamed())).await;
    assert_eq!(by_others.code(), "forbidden", "an editor proposes");

    let proposed = world.propose(&code, renamed()).await.expect(200);
    assert_eq!((&proposed["title"], &proposed["state"]), (&before["title"], &json!("published")));
    let me = editor.get("/api/v1/whoami").await.expect(200)["account"]["id"].clone();
    for caller in [editor, reviewer, &world.provider.integrator] {
        let waiting = caller.get(&path).await.expect(200)["proposal"].clone();
        assert_eq!(waiting["file"]["title"], SECRET);
        assert_eq!((&waiting["version"], &waiting["overtaken"]), (&proposed["version"], &json!(false)));
        assert_eq!(waiting["written_by"], me);
    }
    nobody_else_sees_it(&world, &path, &before).await;

    let version = &proposed["version"];
    let brought = post(reviewer, &format!("{path}/revise"), version, Some(renamed())).await;
    assert_eq!((brought.status, brought.code()), (403, "four_eyes".to_owned()));
    assert!(brought.text.contains("resource apply"), "it says how: {}", brought.text);
    let by_editor = post(editor, &format!("{path}/revise"), version, None).await;
    assert_eq!(by_editor.code(), "forbidden");
    let body = json!({ "reason": "名称不规范" });
    let rejected = post(reviewer, &format!("{path}/reject"), version, Some(body)).await.expect(200);
    assert_eq!((&rejected["state"], rejected.get("proposal")), (&json!("published"), None));
    let told = editor.get(&path).await.expect(200)["rejected"].clone();
    assert_eq!(told["reason"], "名称不规范");
    assert_eq!(world.stranger.editor.get(&path).await.expect(200).get("rejected"), None);

    world.propose(&code, renamed()).await.expect(200);
    let revised = world.revise(&code).await.expect(200);
    assert_eq!((&revised["title"], revised.get("proposal")), (&json!(SECRET), None));
    assert_eq!(world.stranger.editor.get(&path).await.expect(200)["title"], SECRET);
    let mut happened = Vec::new();
    for event in ["proposed", "proposal_rejected", "proposal_approved", "revised"] {
        let list = format!("/api/v1/audit/events?code=resource.{event}");
        let found = world.auditor.get(&list).await.expect(200)["items"].clone();
        happened.push(found.as_array().expect("events").clone());
    }
    assert_eq!(happened.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1]);
    let approved = &happened[2][0];
    let (writer, decider) = (&happened[0][0]["actor"]["account"], &approved["actor"]["account"]);
    assert_eq!(&approved["written_by"], writer);
    assert_ne!(writer, decider);
    assert_eq!(&happened[3][0]["actor"]["account"], decider);
}

/// But for the number of the version, which counts it.
async fn nobody_else_sees_it(world: &World, path: &str, before: &Value) {
    let others =
        [&world.consumer.reviewer, &world.stranger.editor, &world.authority, &world.operator, &world.auditor];
    for caller in others {
        let seen = caller.get(path).await;
        assert!(!seen.text.contains(SECRET), "{}", seen.text);
        let mut seen = seen.expect(200);
        seen["version"] = before["version"].clone();
        seen.as_object_mut().expect("an entry").remove("people");
        assert_eq!(&seen, before);
        for list in ["/api/v1/resources", &format!("/api/v1/resources?q={SECRET}"), &format!("{path}/schema")]
        {
            let listed = caller.get(list).await;
            assert!(listed.status == 200 && !listed.text.contains(SECRET), "{list}: {}", listed.text);
        }
    }
}

async fn what_revises_is_nothing_or_a_whole_file(app: &TestApp) {
    let world = World::of(app).await;
    let code = world.entry(resource_file("conditional")).await;
    let path = format!("/api/v1/resources/{code}/revise");
    let reviewer = &world.provider.reviewer;
    let version = reviewer.get(&format!("/api/v1/resources/{code}")).await.expect(200)["version"].clone();
    let nothing = post(reviewer, &path, &version, None).await;
    assert_eq!((nothing.status, nothing.code()), (409, "invalid_state".to_owned()), "nothing waits");
    assert!(nothing.text.contains("resource apply"), "{}", nothing.text);
    for body in [json!([]), json!({ "title": "x" }), json!({ "reason": "x" })] {
        let wrong = post(reviewer, &path, &version, Some(body.clone())).await;
        assert_eq!(wrong.code(), "invalid", "{body}");
    }
    let unnamed = Reply::of(reviewer.request("post", &path)).await;
    assert_eq!(unnamed.code(), "precondition_required");
}
