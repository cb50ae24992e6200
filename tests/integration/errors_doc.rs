//! docs/errors.md lists every code, with the status and meaning the server answers, and what to do.

use std::path::Path;

use changtong_catalog::error::Code;

#[test]
fn the_page_lists_every_code_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = std::fs::read_to_string(path).expect("docs/errors.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    // The last two cells say what to do, in both languages.
    let (written, advice): (Vec<String>, Vec<Vec<&str>>) = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let (known, advice) = cells.split_at(cells.len().saturating_sub(2));
            (known.join(" | "), advice.to_vec())
        })
        .unzip();
    let row = |code: &Code| {
        let again = if code.retryable() { "yes" } else { "no" };
        format!("`{code}` | {} | {again} | {} | {}", code.status(), code.title().trim(), code.title_zh())
    };
    let expected: Vec<String> = Code::ALL.iter().map(row).collect();
    assert_eq!(written, expected, "docs/errors.md should have these rows:\n{}", expected.join("\n"));
    for (row, advice) in written.iter().zip(advice) {
        assert!(advice.len() == 2 && advice.iter().all(|cell| !cell.is_empty()), "{row} says not what to do");
    }
}
