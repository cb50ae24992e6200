//! Tokens to an expression whose names are not resolved yet.
//!
//! ```text
//! or       = and { "||" and }
//! and      = unary { "&&" unary }
//! unary    = "!" ( unary | item ) | "(" or ")" | relation
//! relation = operand [ op operand | "in" "[" literal { "," literal } "]" ]
//! ```

use super::lex::{Placed, Token, tokens};
use super::{MOST_BYTES, MOST_DEPTH, MOST_VALUES, Op, wrong};
use crate::error::{Code, Refusal};

/// A parsed filter, not yet checked against items.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr(pub(super) Tree);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Compare(Operand, Op, Operand),
    In(Operand, Vec<Operand>),
    /// An item alone, which must be of type L.
    Alone(Operand),
}

/// What is compared, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) what: What,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Item(String),
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Expr, Refusal> {
    if text.len() > MOST_BYTES {
        return Err(Refusal::new(
            Code::FilterInvalid,
            format!("筛选条件长 {} 字节,至多 {MOST_BYTES}", text.len()),
            format!("the filter has {} bytes, at most {MOST_BYTES} are allowed", text.len()),
        ));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, end: text.chars().count() + 1 };
    let tree = parser.or()?;
    match parser.peek() {
        None => Ok(Expr(tree)),
        Some(_) => Err(parser.unexpected("“&&”、“||”或结尾", "&&, || or the end")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, at)| *at)
    }

    fn accept(&mut self, sign: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Refusal> {
        if self.accept(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("“{sign}”"), sign))
    }

    fn unexpected(&self, wanted_zh: &str, wanted_en: &str) -> Refusal {
        wrong(self.place(), format!("此处应为{wanted_zh}"), format!("{wanted_en} is expected here"))
    }

    fn or(&mut self) -> Result<Tree, Refusal> {
        let mut trees = vec![self.and()?];
        while self.accept("||") {
            trees.push(self.and()?);
        }
        Ok(only(trees, Tree::Any))
    }

    fn and(&mut self) -> Result<Tree, Refusal> {
        let mut trees = vec![self.unary()?];
        while self.accept("&&") {
            trees.push(self.unary()?);
        }
        Ok(only(trees, Tree::All))
    }

    fn unary(&mut self) -> Result<Tree, Refusal> {
        if self.depth == MOST_DEPTH {
            let zh = format!("嵌套超过 {MOST_DEPTH} 层");
            return Err(wrong(self.place(), zh, format!("nested deeper than {MOST_DEPTH}")));
        }
        self.depth += 1;
        let tree = if self.accept("!") {
            Tree::Not(Box::new(self.negated()?))
        } else if self.accept("(") {
            let inner = self.or()?;
            self.expect(")")?;
            inner
        } else {
            self.relation()?
        };
        self.depth -= 1;
        Ok(tree)
    }

    /// Behind `!` stands no bare comparison: CEL would read `!a == b` as `(!a) == b`.
    fn negated(&mut self) -> Result<Tree, Refusal> {
        if matches!(self.peek(), Some(Token::Sign("!" | "("))) {
            return self.unary();
        }
        let operand = self.operand()?;
        if self.relation_sign().is_some() || self.peek() == Some(&Token::Name("in".to_owned())) {
            let zh = "“!”先于比较,请加括号,例:!(a == b)";
            return Err(wrong(self.place(), zh, "! binds tighter than a comparison, write !(a == b)"));
        }
        Ok(Tree::Alone(operand))
    }

    fn relation(&mut self) -> Result<Tree, Refusal> {
        let left = self.operand()?;
        if let Some(op) = self.relation_sign() {
            self.next += 1;
            return Ok(Tree::Compare(left, op, self.operand()?));
        }
        if self.peek() == Some(&Token::Name("in".to_owned())) {
            self.next += 1;
            return Ok(Tree::In(left, self.list()?));
        }
        Ok(Tree::Alone(left))
    }

    fn relation_sign(&self) -> Option<Op> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        let all = [Op::Equal, Op::NotEqual, Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual];
        all.into_iter().find(|op| op.text() == *sign)
    }

    fn list(&mut self) -> Result<Vec<Operand>, Refusal> {
        self.expect("[")?;
        let mut values = vec![self.operand()?];
        while self.accept(",") {
            if values.len() == MOST_VALUES {
                let zh = format!("列表至多 {MOST_VALUES} 个值");
                return Err(wrong(self.place(), zh, format!("a list has at most {MOST_VALUES} values")));
            }
            values.push(self.operand()?);
        }
        self.expect("]")?;
        Ok(values)
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        let at = self.place();
        let what = match self.peek() {
            Some(Token::Name(name)) => match name.as_str() {
                "true" => What::Bool(true),
                "false" => What::Bool(false),
                "null" => What::Null,
                "in" => return Err(self.unexpected("信息项或值", "an item or a value")),
                _ => What::Item(name.clone()),
            },
            Some(Token::Text(text)) => What::Text(text.clone()),
            Some(Token::Number(number)) => What::Number(number.clone()),
            Some(Token::Sign(_)) | None => return Err(self.unexpected("信息项或值", "an item or a value")),
        };
        self.next += 1;
        if matches!(what, What::Item(_)) && self.peek() == Some(&Token::Sign("(")) {
            let zh = "筛选条件没有函数";
            return Err(wrong(at, zh, "filters have no functions"));
        }
        Ok(Operand { what, at })
    }
}

fn only(mut trees: Vec<Tree>, many: fn(Vec<Tree>) -> Tree) -> Tree {
    if trees.len() > 1 { many(trees) } else { trees.swap_remove(0) }
}
