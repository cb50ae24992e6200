//! Reading JSON as Java's parser of schemas does: comments are taken, a NaN is not.

use std::collections::HashMap;

use super::{Json, Members};

/// Values within each other. (A type takes at most three: field, list of fields, record.)
const MOST_DEPTH: usize = 128;
/// Characters of a number, as in Java.
const MOST_DIGITS: usize = 1000;

/// Where a text stops being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The byte, from 0.
    pub at: usize,
    pub zh: &'static str,
    pub en: &'static str,
}

/// The one value of a text.
pub(crate) fn read(text: &str) -> Result<Json, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(1)?;
    if text[reader.at..].chars().any(|c| c > ' ') {
        return Err(reader.wrong("值之后还有内容", "there is more after the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, zh: &'static str, en: &'static str) -> Malformed {
        Malformed { at: self.at, zh, en }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Over space and comments.
    fn space(&mut self) -> Result<(), Malformed> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Malformed> {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") {
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            return Ok(());
        }
        match rest.strip_prefix("/*").and_then(|rest| rest.find("*/")) {
            Some(end) => {
                self.at += end + 4;
                Ok(())
            }
            None => Err(self.wrong("此处不是合法的 JSON", "this is not JSON")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.space()?;
        match self.peek() {
            Some(b'{' | b'[') if depth > MOST_DEPTH => {
                Err(self.wrong("JSON 嵌套过深", "JSON nested too deep"))
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.wrong("JSON 不完整", "the JSON ends too early")),
        }
    }

    fn word(&mut self) -> Result<Json, Malformed> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            let rest = self.text[self.at..].strip_prefix(word);
            if rest
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'))
            {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("此处不是合法的 JSON", "this is not JSON"))
    }

    fn array(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut values = Vec::new();
        self.space()?;
        if self.take(b']') {
            return Ok(Json::Array(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.space()?;
            if self.take(b']') {
                return Ok(Json::Array(values));
            }
            if !self.take(b',') {
                return Err(
                    self.wrong("数组中应为逗号或右方括号", "a comma or the end of the list is missing")
                );
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.space()?;
        if self.take(b'}') {
            return Ok(Json::Object(Members(members)));
        }
        loop {
            self.space()?;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("此处应为成员名", "the name of a member is missing"));
            }
            let name = self.string()?;
            self.space()?;
            if !self.take(b':') {
                return Err(self.wrong("成员名之后应为冒号", "a colon is missing behind the name"));
            }
            let value = self.value(depth + 1)?;
            match places.get(&name) {
                Some(place) => members[*place].1 = value,
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
            self.space()?;
            if self.take(b'}') {
                return Ok(Json::Object(Members(members)));
            }
            if !self.take(b',') {
                return Err(
                    self.wrong("对象中应为逗号或右花括号", "a comma or the end of the object is missing")
                );
            }
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let from = self.at;
        self.take(b'-');
        let begins_with_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        let mut wrong = whole == 0 || (begins_with_zero && whole > 1);
        let mut real = false;
        if self.take(b'.') {
            real = true;
            wrong |= self.digits() == 0;
        }
        if self.take(b'e') || self.take(b'E') {
            real = true;
            let _sign = self.take(b'+') || self.take(b'-');
            wrong |= self.digits() == 0;
        }
        let text = &self.text[from..self.at];
        let next = self.text[self.at..].chars().next();
        // A number of the root may be followed by anything: no schema is a number.
        wrong |= next.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == '-' || c == '+');
        if wrong || text.len() > MOST_DIGITS {
            return Err(Malformed { at: from, zh: "数字有误", en: "a number is malformed" });
        }
        if !real {
            return Ok(Json::Whole(if text == "-0" { "0".to_owned() } else { text.to_owned() }));
        }
        let number = text.parse().map_err(|_| self.wrong("数字有误", "a number is malformed"))?;
        Ok(Json::Real(number))
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            let Some(stop) = stop else {
                return Err(self.wrong("文本没有结束", "a text has no end"));
            };
            text.push_str(&rest[..stop]);
            self.at += stop;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.wrong("文本中有控制字符", "a text holds a control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let wrong = self.wrong("转义有误", "an escape is malformed");
        let kind = self.text.as_bytes().get(self.at + 1).copied().ok_or(wrong)?;
        if kind == b'u' {
            let first = self.unit().ok_or(wrong)?;
            let second =
                if (0xd800..0xdc00).contains(&first) { Some(self.unit().ok_or(wrong)?) } else { None };
            let units = [Some(first), second].into_iter().flatten();
            return char::decode_utf16(units).next().and_then(Result::ok).ok_or(wrong);
        }
        self.at += 2;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return Err(wrong),
        })
    }

    /// `\uXXXX`
    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 6)?.strip_prefix("\\u")?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 6;
        u16::from_str_radix(digits, 16).ok()
    }
}
