//! `changtong schema check`, for people and for a pipeline.

use serde_json::Value;

use super::{agencies, published};
use crate::shell::Shell;
use crate::support::{Pair, TestApp};

const CSV: &str = "id,name,heads\n1,甲,12\n2,乙,\n3,丙,7\n";

#[tokio::test]
async fn a_change_says_what_it_breaks_and_for_whom_before_it_is_made() {
    let app = TestApp::start(Pair::Embedded, &[]).await.expect("the embedded engines are always there");
    let shell = Shell::of(&app);
    agencies(&shell).await;
    shell.write("people.csv", CSV);
    shell.line("resource draft people.csv --provider stats --out people.toml").await;
    let code = published(&shell, "people.toml").await;
    shell.line(&format!("publish {code} people.csv --as stats")).await;
    let asked = shell.refused(&format!("subscribe {code} --as emergency"), 1).await;
    let request = asked.split_whitespace().last().expect("the request's id");
    shell.line(&format!("request submit {request} --as emergency-head")).await;
    shell.line(&format!("subscribe {code} --as emergency")).await;
    let kept = shell.read("people.toml");

    let same = shell.line("schema check people.toml --as stats").await;
    assert!(same.contains("the schema stays as it is"), "{same}");

    let nullable =
        kept.clone() + "\n[[items]]\nname = \"town\"\ntitle = \"镇\"\ntype = \"C\"\nnullable = true\n";
    shell.write("people.toml", &nullable);
    let wider = shell.line("schema check people.toml --as stats").await;
    assert!(wider.contains("would be version 2") && wider.contains("town"), "{wider}");
    let grant = wider.lines().last().expect("a grant's line");
    assert!(grant.contains("emergency") && grant.contains("same") && grant.ends_with('-'), "{grant}");
    let proposed = shell.line("resource apply people.toml --as stats").await;
    assert!(proposed.contains("changed: items") && proposed.contains("another account"), "{proposed}");
    let waiting = shell.line(&format!("schema check --resource {code} --as stats-head")).await;
    assert_eq!(waiting, wider, "the reviewer sees the same of what waits");
    let revised = shell.line(&format!("resource revise {code} --as stats-head")).await;
    assert!(revised.contains("+town"), "{revised}");

    shell.write(
        "people.toml",
        kept.replace("title = \"heads\"\ntype = \"I\"", "title = \"heads\"\ntype = \"C\""),
    );
    let words: Vec<&str> = "schema check people.toml --as stats-head".split(' ').collect();
    let broken = shell.run(&words).await;
    assert_eq!(broken.code, 4, "a pipeline stops here, and can tell why: {}", broken.err);
    assert!(broken.err.contains("consultation"), "{}", broken.err);
    for said in ["missing_union_branch", "heads", "town", "removed", "emergency", "active"] {
        assert!(broken.out.contains(said), "{said}: {}", broken.out);
    }
    let json = shell.run(&[&words[..], &["--output", "json"]].concat()).await;
    let report: Value = serde_json::from_str(&json.out).expect("JSON on standard output");
    assert_eq!((json.code, &report["compatible"]), (4, &Value::Bool(false)));
    let because = &report["breaks"][0]["because"];
    assert!(
        because.as_array().is_some_and(|reasons| !reasons.is_empty()),
        "why no branch takes it: {report}"
    );
    for reason in because.as_array().expect("reasons") {
        assert!(broken.out.contains(reason["en"].as_str().expect("a text")), "{}", broken.out);
    }
    let output = shell.command(&words).env("LANG", "zh_CN.UTF-8").output().await.expect("the command runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{err}");
    for said in ["不兼容", "信息项", "说明", "使用方", "派生模式", "写入的是"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    for heading in ["ITEM", "WHY", "CONSUMER", "DERIVED SCHEMA"] {
        assert!(!out.contains(heading), "{heading}: {out}");
    }
    assert!(err.contains("须先征求使用方意见"), "{err}");
    let refused = shell.refused("resource apply people.toml --as stats", 1).await;
    assert!(refused.contains("changtong schema check"), "{refused}");
    shell.refused("schema check people.toml --as emergency", 1).await;

    let schema = r#"{"type":"record","name":"People","fields":[{"name":"id","type":"int"}]}"#;
    shell.write("people.avsc", schema);
    for words in ["schema check people.avsc --as stats", "schema check --as stats"] {
        let unnamed = shell.refused(words, 2).await;
        assert!(unnamed.contains("--resource"), "{unnamed}");
    }
    let line = format!("schema check people.avsc --resource {code} --as stats");
    let ran = shell.run(&line.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.out.contains("reader_field_missing_default_value"), "name is never empty: {}", ran.out);
    app.stop().await;
}
