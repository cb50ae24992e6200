//! Everything that is wrong with a file, collected before it is refused: a person mends it once, not field by field.

use serde_json::json;

use crate::error::{Code, Refusal, Text};

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    code: Code,
    path: String,
    text: Text,
}

/// More than these are counted, not listed.
const LISTED: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(
        &mut self,
        code: Code,
        path: impl Into<String>,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.0.push(Problem { code, path: path.into(), text: Text::new(zh, en) });
    }

    /// What another check found, at this path.
    pub(crate) fn take(&mut self, path: impl Into<String>, refusal: Refusal) {
        self.0.push(Problem { code: refusal.code, path: path.into(), text: refusal.text });
    }

    pub(crate) fn none(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses with all of them, the first in words; of one kind, with its code, else as `invalid`.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let same = self.0.iter().all(|problem| problem.code == first.code);
        let code = if same { first.code } else { Code::Invalid };
        let (zh, en) = match self.0.len() - 1 {
            0 => (String::new(), String::new()),
            more => (format!("(另有 {more} 处)"), format!(" (and {more} more)")),
        };
        let listed: Vec<_> = self.0.iter().take(LISTED).map(Problem::to_value).collect();
        Err(Refusal::new(
            code,
            format!("{}:{}{zh}", first.path, first.text.zh),
            format!("{}: {}{en}", first.path, first.text.en),
        )
        .with("path", first.path.clone())
        .with("problems", listed)
        .with("total", self.0.len()))
    }
}

impl Problem {
    fn to_value(&self) -> serde_json::Value {
        let Text { zh, en } = &self.text;
        json!({"path": self.path, "code": self.code.as_str(), "reason": {"zh": zh, "en": en}})
    }
}

/// A text of a file: how long, and whether it may have lines.
pub(crate) struct TextRule {
    pub least: usize,
    pub most: usize,
    pub lines: bool,
}

/// Required, on one line.
pub(crate) const fn line(most: usize) -> TextRule {
    TextRule { least: 1, most, lines: false }
}

/// Required, on any number of lines.
pub(crate) const fn text(most: usize) -> TextRule {
    TextRule { least: 1, most, lines: true }
}

impl TextRule {
    pub(crate) const fn optional(self) -> Self {
        Self { least: 0, ..self }
    }

    pub(crate) fn check(&self, problems: &mut Problems, code: Code, path: &str, value: &str) {
        if value.trim().chars().count() < self.least {
            problems.add(code, path, "不能为空", "must not be empty");
        }
        let length = value.chars().count();
        if length > self.most {
            problems.add(
                code,
                path,
                format!("有 {length} 个字符,最多 {}", self.most),
                format!("has {length} characters, at most {} are allowed", self.most),
            );
        }
        if let Some(c) = value.chars().find(|c| !self.allows(*c)) {
            problems.add(
                code,
                path,
                format!("含有不可见的控制字符 U+{:04X},请删除", u32::from(c)),
                format!("has the invisible control character U+{:04X}; remove it", u32::from(c)),
            );
        }
        if ["绝密★", "机密★", "秘密★"].iter().any(|mark| value.contains(mark)) {
            problems.add(
                code,
                path,
                "带有密级标志:国家秘密和工作秘密不得进入目录",
                "bears a mark of secrecy: state and work secrets have no place in the catalog",
            );
        }
    }

    fn allows(&self, c: char) -> bool {
        // Marks that turn the direction of text, so that it reads otherwise than it is.
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let breaks = matches!(c, '\n' | '\r' | '\t') && self.lines;
        !turns && (breaks || !c.is_control())
    }
}
