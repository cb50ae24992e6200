//! docs/errors.md lists every code, with the status and meaning the server answers.

use std::path::Path;

use changtong_catalog::error::Code;

#[test]
fn the_page_lists_every_code_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = std::fs::read_to_string(path).expect("docs/errors.md");
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |code: &Code| {
        let again = if code.retryable() { "yes" } else { "no" };
        format!("| `{code}` | {} | {again} | {} |", code.status(), code.title().trim())
    };
    let expected: Vec<String> = Code::ALL.iter().map(row).collect();
    assert_eq!(written, expected, "docs/errors.md should have these rows:\n{}", expected.join("\n"));
}
