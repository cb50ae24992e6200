//! A field of a record.

use super::{At, FIELD, Parser, properties};
use crate::avro::fault::Fault;
use crate::avro::json::{Json, Members};
use crate::avro::model::{Field, Id, Kind, Order, Primitive};

impl Parser {
    pub(super) fn field(&mut self, json: &Json, at: At<'_>) -> Result<Field, Fault> {
        let Json::Object(members) = json else {
            return Err(self.fault(at.trail, "字段应为对象", "a field is an object"));
        };
        let trail = self.trails.member(at.trail, "name");
        let Some(name) = members.text("name") else {
            return Err(self.fault(
                trail,
                "缺少字段名,或字段名不是文本",
                "the field's name is missing or is no text",
            ));
        };
        self.part(name, trail)?;
        self.short(name, trail)?;
        let trail = self.trails.member(at.trail, "type");
        let Some(written) = members.get("type") else {
            return Err(self.fault(trail, "缺少字段类型", "the field's type is missing"));
        };
        let kind = self.any(written, at.below(trail))?;
        let default = self.default(members, kind, at)?;
        let order = self.order(members, at)?;
        Ok(Field {
            name: name.to_owned(),
            kind,
            doc: members.text("doc").map(str::to_owned),
            default,
            order,
            aliases: self.aliases(members, at.trail)?,
            properties: properties(members, &FIELD),
        })
    }

    fn order(&mut self, members: &Members, at: At<'_>) -> Result<Order, Fault> {
        let Some(written) = members.get("order") else { return Ok(Order::Ascending) };
        let word = written.text().map(str::to_uppercase);
        let order = Order::ALL.into_iter().find(|order| word == Some(order.word().to_uppercase()));
        order.ok_or_else(|| {
            let trail = self.trails.member(at.trail, "order");
            self.fault(
                trail,
                "排序应为 ascending、descending 或 ignore",
                "the order is ascending, descending or ignore",
            )
        })
    }

    /// The default as it counts, which must fit the type as far as that is known by now.
    fn default(&mut self, members: &Members, kind: Id, at: At<'_>) -> Result<Option<Json>, Fault> {
        let Some(written) = members.get("default") else { return Ok(None) };
        let trail = self.trails.member(at.trail, "default");
        let mut default = written.clone();
        let real = matches!(self.types[kind.0].kind, Kind::Primitive(Primitive::Float | Primitive::Double));
        if let (true, Json::Text(text)) = (real, written) {
            match number(text) {
                Some(number) => default = Json::Real(number),
                None => return Err(self.fault(trail, "默认值不是数字", "the default is no number")),
            }
        }
        if self.rules.defaults {
            match self.fits_now(kind, &default) {
                Ok(true) => {}
                Ok(false) => return Err(self.unfit(kind, trail)),
                Err(why) => return Err(self.not_fitting(why, trail)),
            }
        }
        Ok(Some(default))
    }
}

/// A number in a text, in the forms that Java's `Double.parseDouble` takes (but hexadecimal ones).
fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match size {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let digits = size.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(size);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if begins && plain { digits.parse::<f64>().ok().map(|size| sign * size) } else { None }
}
