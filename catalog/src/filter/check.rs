//! An expression against a resource's items: names to indexes, literals to the item's Avro type.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::parse::{Expr, Operand, Tree, What};
use super::{Filter, Node, Op, Value, wrong};
use crate::error::Refusal;
use crate::literal;
use crate::resource::{AvroType, Item};

impl Expr {
    /// The filter over these items; refused where a name, a type or a value doesn't fit.
    pub fn check(&self, items: &[Item]) -> Result<Filter, Refusal> {
        let mut checker = Checker { items, named: BTreeSet::new() };
        let root = checker.tree(&self.0)?;
        Ok(Filter { root, items: checker.named })
    }
}

struct Checker<'a> {
    items: &'a [Item],
    named: BTreeSet<usize>,
}

impl<'a> Checker<'a> {
    fn tree(&mut self, tree: &Tree) -> Result<Node, Refusal> {
        Ok(match tree {
            Tree::All(trees) => Node::All(self.trees(trees)?),
            Tree::Any(trees) => Node::Any(self.trees(trees)?),
            Tree::Not(tree) => Node::Not(Box::new(self.tree(tree)?)),
            Tree::Alone(operand) => self.alone(operand)?,
            Tree::In(operand, values) => self.one_of(operand, values)?,
            Tree::Compare(left, op, right) => match (self.item(left)?, self.item(right)?) {
                (Some(left), Some(other)) => self.compare_items(left, *op, other, right.at)?,
                (Some(item), None) => self.compare(item, *op, right)?,
                (None, Some(item)) => self.compare(item, op.turned(), left)?,
                (None, None) => {
                    let zh = "比较中没有信息项";
                    return Err(wrong(left.at, zh, "this comparison names no item"));
                }
            },
        })
    }

    fn trees(&mut self, trees: &[Tree]) -> Result<Vec<Node>, Refusal> {
        trees.iter().map(|tree| self.tree(tree)).collect()
    }

    /// The index of the item that the operand names; `None` for a literal.
    fn item(&mut self, operand: &Operand) -> Result<Option<usize>, Refusal> {
        let What::Item(name) = &operand.what else { return Ok(None) };
        let Some(index) = self.items.iter().position(|item| item.name == *name) else {
            let zh = format!("资源没有信息项“{name}”");
            return Err(wrong(operand.at, zh, format!("the resource has no item \"{name}\"")));
        };
        self.named.insert(index);
        Ok(Some(index))
    }

    fn alone(&mut self, operand: &Operand) -> Result<Node, Refusal> {
        match self.item(operand)? {
            Some(index) if self.items[index].avro() == AvroType::Boolean => Ok(Node::IsTrue(index)),
            _ => {
                let zh = "只有逻辑型信息项可以单独作条件,其他须作比较";
                Err(wrong(operand.at, zh, "only an item of type L stands alone, compare others with a value"))
            }
        }
    }

    fn compare(&self, index: usize, op: Op, literal: &Operand) -> Result<Node, Refusal> {
        if literal.what == What::Null {
            return match op {
                Op::Equal => Ok(Node::IsNull(index)),
                Op::NotEqual => Ok(Node::Not(Box::new(Node::IsNull(index)))),
                _ => Err(wrong(literal.at, "null 只能用 == 或 != 比较", "null is compared by == or != only")),
            };
        }
        let item = &self.items[index];
        orderable(item, op, literal.at)?;
        Ok(Node::Compare(index, op, value(item, literal, !op.is_order())?))
    }

    fn compare_items(&self, left: usize, op: Op, right: usize, at: usize) -> Result<Node, Refusal> {
        let (a, b) = (&self.items[left], &self.items[right]);
        let bytes = a.avro() == AvroType::Bytes;
        if bytes || family(a.avro()) != family(b.avro()) {
            let zh = format!("“{}”与“{}”的类型不能相比", a.name, b.name);
            return Err(wrong(at, zh, format!("\"{}\" and \"{}\" can't be compared", a.name, b.name)));
        }
        orderable(a, op, at)?;
        Ok(Node::CompareItems(left, op, right))
    }

    fn one_of(&mut self, operand: &Operand, values: &[Operand]) -> Result<Node, Refusal> {
        let Some(index) = self.item(operand)? else {
            return Err(wrong(operand.at, "in 的左边应为信息项", "the left side of in is an item"));
        };
        let item = &self.items[index];
        let mut list = values.iter().map(|one| value(item, one, true)).collect::<Result<Vec<_>, _>>()?;
        list.sort_by(|a, b| a.cell().compare(&b.cell()).unwrap_or(Ordering::Equal));
        list.dedup();
        Ok(Node::OneOf(index, list))
    }
}

/// What compares with what: items of one family.
fn family(avro: AvroType) -> u8 {
    match avro {
        AvroType::String => 0,
        AvroType::Int | AvroType::Long => 1,
        AvroType::Float | AvroType::Double => 2,
        AvroType::Boolean => 3,
        AvroType::Bytes => 4,
        AvroType::Decimal { .. } => 5,
        AvroType::Date => 6,
        AvroType::TimestampMillis => 7,
    }
}

fn orderable(item: &Item, op: Op, at: usize) -> Result<(), Refusal> {
    if op.is_order() && item.avro() == AvroType::Boolean {
        let zh = "逻辑型信息项只能用 == 或 != 比较";
        return Err(wrong(at, zh, "an item of type L is compared by == or != only"));
    }
    Ok(())
}

/// The literal in the item's type. `exact`: it is compared for equality, so a coded item must have it as a value.
fn value(item: &Item, literal: &Operand, exact: bool) -> Result<Value, Refusal> {
    let avro = item.avro();
    let fits = match (avro, &literal.what) {
        (AvroType::String, What::Text(text)) => {
            coded(item, text, exact, literal.at)?;
            Some(Value::Text(text.clone()))
        }
        (AvroType::Boolean, What::Bool(value)) => Some(Value::Bool(*value)),
        (AvroType::Int | AvroType::Long, What::Number(number)) => number.parse().ok().map(Value::Int),
        (AvroType::Double, What::Number(number)) => number.parse().ok().map(Value::Float),
        // Rounded as the item's own values are, or `== 0.1` would never be true.
        (AvroType::Float, What::Number(number)) => {
            number.parse::<f32>().ok().map(|value| Value::Float(f64::from(value)))
        }
        (AvroType::Decimal { precision, scale }, What::Number(number)) => literal::decimal(number)
            .and_then(|value| literal::rescale(value, precision, scale))
            .map(|unscaled| Value::Decimal(unscaled, scale)),
        (AvroType::Date, What::Text(text)) => literal::date(text).map(Value::Date),
        (AvroType::TimestampMillis, What::Text(text)) => {
            literal::timestamp_millis(text).map(Value::Timestamp)
        }
        _ => None,
    };
    fits.ok_or_else(|| {
        let (zh, en) = wanted(avro);
        let zh = format!("“{}”与{zh}比较", item.name);
        wrong(literal.at, zh, format!("\"{}\" is compared with {en}", item.name))
    })
}

fn coded(item: &Item, text: &str, exact: bool, at: usize) -> Result<(), Refusal> {
    if !exact || item.values.is_empty() || item.values.iter().any(|value| value == text) {
        return Ok(());
    }
    let zh = format!("“{text}”不在“{}”的值域内:{}", item.name, item.values.join("、"));
    let en = format!("\"{text}\" is not a value of \"{}\": {}", item.name, item.values.join(", "));
    Err(wrong(at, zh, en))
}

/// What an item of that type is compared with.
fn wanted(avro: AvroType) -> (String, String) {
    let (zh, en) = match avro {
        AvroType::String => ("字符串", "a string"),
        AvroType::Int | AvroType::Long => ("64 位整数", "a whole number of 64 bits"),
        AvroType::Float | AvroType::Double => ("数", "a number"),
        AvroType::Boolean => (" true 或 false ", "true or false"),
        AvroType::Bytes => (" null(且仅与 null)", "null, and with nothing else"),
        AvroType::Date => ("日期字符串,例 \"2026-11-24\" ", "a date in a string, such as \"2026-11-24\""),
        AvroType::TimestampMillis => (
            "带时区、至多三位小数秒的时间字符串,例 \"2026-11-24T08:00:00+08:00\" ",
            "a time in a string, with an offset and at most three decimals, such as \"2026-11-24T08:00:00+08:00\"",
        ),
        AvroType::Decimal { precision, scale } => {
            return (
                format!("至多 {precision} 位、小数至多 {scale} 位的数"),
                format!("a number of at most {precision} digits, at most {scale} of them decimals"),
            );
        }
    };
    (zh.to_owned(), en.to_owned())
}
