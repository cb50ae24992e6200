//! A filter's text to tokens with their places.

use super::wrong;
use crate::error::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    /// As written: digits, perhaps with a sign and a point.
    Number(String),
    /// An operator, bracket or comma.
    Sign(&'static str),
}

/// A token and the number of its first character, counted from 1.
pub(super) type Placed = (Token, usize);

const SIGNS: [&str; 14] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ","];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Refusal> {
    let mut lexer = Lexer { rest: text, at: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Takes the longest start whose characters all fit.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        self.advance(end)
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.at += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.advance(c.len_utf8());
        Some(c)
    }

    fn token(&mut self) -> Result<Option<Placed>, Refusal> {
        self.take(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
        let at = self.at;
        let Some(c) = self.rest.chars().next() else { return Ok(None) };
        let token = match c {
            'a'..='z' | 'A'..='Z' | '_' => {
                Token::Name(self.take(|c| c.is_ascii_alphanumeric() || c == '_').to_owned())
            }
            '0'..='9' | '-' => self.number()?,
            '"' | '\'' => self.text(c)?,
            _ => match SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
                Some(sign) => {
                    self.advance(sign.len());
                    Token::Sign(sign)
                }
                None => return Err(wrong(at, format!("不认识“{c}”"), format!("{c:?} is not expected"))),
            },
        };
        Ok(Some((token, at)))
    }

    fn number(&mut self) -> Result<Token, Refusal> {
        let at = self.at;
        let whole = self.rest;
        self.take(|c| c == '-' || c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let number = &whole[..whole.len() - self.rest.len()];
        if crate::literal::decimal(number).is_some() {
            return Ok(Token::Number(number.to_owned()));
        }
        Err(wrong(
            at,
            "数应为十进制、至多 38 位、不带指数,例:15、-0.5",
            "a number is decimal, of at most 38 digits, without exponent, such as 15 or -0.5",
        ))
    }

    fn text(&mut self, quote: char) -> Result<Token, Refusal> {
        let start = self.at;
        self.next();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                Some(c) if c == quote => return Ok(Token::Text(text)),
                Some('\\') => text.push(self.escape(at)?),
                Some('\0') => return Err(wrong(at, "字符串不得含 U+0000", "a string must not hold U+0000")),
                Some('\n') | None => return Err(wrong(start, "字符串没有结束", "the string does not end")),
                Some(c) => text.push(c),
            }
        }
    }

    /// CEL's escapes, behind the backslash.
    fn escape(&mut self, at: usize) -> Result<char, Refusal> {
        let bad = || wrong(at, "不认识的转义", "an unknown escape");
        let plain = match self.next().ok_or_else(bad)? {
            c @ ('\\' | '?' | '"' | '\'' | '`') => c,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' | 'X' => self.code(2).ok_or_else(bad)?,
            'u' => self.code(4).ok_or_else(bad)?,
            'U' => self.code(8).ok_or_else(bad)?,
            first @ '0'..='3' => {
                let two = self.rest.get(..2).filter(|two| two.bytes().all(|b| matches!(b, b'0'..=b'7')));
                let code = two.and_then(|two| u32::from_str_radix(&format!("{first}{two}"), 8).ok());
                self.advance(if code.is_some() { 2 } else { 0 });
                code.and_then(char::from_u32).ok_or_else(bad)?
            }
            _ => return Err(bad()),
        };
        if plain == '\0' {
            return Err(wrong(at, "字符串不得含 U+0000", "a string must not hold U+0000"));
        }
        Ok(plain)
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let text = self.rest.get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let code = u32::from_str_radix(text, 16).ok()?;
        self.advance(digits);
        char::from_u32(code)
    }
}
