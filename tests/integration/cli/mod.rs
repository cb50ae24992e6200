//! The commands against the real application.

mod avro;
mod catalog;
mod connectors;
mod exit;
mod operator;
mod records;
mod schema;

use crate::shell::{Shell, member};

/// Two agencies with a second account each, whose profiles are `NAME` and `NAME-head`.
async fn agencies(shell: &Shell) {
    for (alias, code) in [("stats", "11999999FAKE00021N"), ("emergency", "12440000FAKE0003XR")] {
        shell.line(&format!("agency add {alias} --name {alias} --code {code}")).await;
        let head = shell.json(&format!("account add {alias} head --roles editor,reviewer")).await;
        let id = member(&head, "/id");
        shell.line(&format!("key issue {id} --roles editor,reviewer --profile {alias}-head")).await;
    }
}

/// A published entry made of a file in the shell's folder; its code in a path.
async fn published(shell: &Shell, file: &str) -> String {
    let entry = shell.json(&format!("resource apply {file} --as stats")).await;
    let code = member(&entry, "/code").replace('/', "-");
    shell.line(&format!("resource submit {code} --as stats")).await;
    shell.line(&format!("resource approve {code} --as stats-head")).await;
    shell.line(&format!("resource publish {code} --as stats-head")).await;
    code
}
