//! Whether a default fits its type. Asked twice, as in Java: when a field is read, a name that nothing stands for yet is
//! taken for a record without fields; when all names stand for something, in the order of `resolve.rs`.

use std::collections::{HashMap, HashSet};

use super::Parser;
use crate::avro::fault::Fault;
use crate::avro::json::Json;
use crate::avro::model::{Id, Kind, Primitive, Record, Type};
use crate::avro::path::Trail;
use crate::avro::rules::MOST_QUESTIONS;

/// Why nothing is said of a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unjudged {
    /// The fields of a record in it are not known yet, because the record holds the field in question.
    Incomplete,
    /// All defaults so far took more questions than are asked.
    TooMuch,
}

/// What a default is held against.
struct Fitting<'a> {
    types: &'a [Type],
    /// Names that stand for something, and the records whose fields are known; without, a name is an empty record.
    known: Option<(&'a HashMap<String, Id>, &'a HashSet<Id>)>,
    /// By type and value: a union's branches may all ask the same.
    asked: HashMap<(Id, *const Json), bool>,
    /// Of all defaults of the text and of those it refers to.
    questions: usize,
}

impl Parser {
    pub(super) fn fits_now(&self, kind: Id, default: &Json) -> Result<bool, Unjudged> {
        self.fits(kind, default, None)
    }

    pub(super) fn fits_known(
        &self,
        kind: Id,
        default: &Json,
        complete: &HashSet<Id>,
    ) -> Result<bool, Unjudged> {
        self.fits(kind, default, Some((&self.names, complete)))
    }

    fn fits<'a>(
        &'a self,
        kind: Id,
        default: &Json,
        known: Option<(&'a HashMap<String, Id>, &'a HashSet<Id>)>,
    ) -> Result<bool, Unjudged> {
        let questions = self.questions.get();
        if questions > MOST_QUESTIONS {
            // The schema is refused already, for the default that took too much.
            return Ok(true);
        }
        let mut fitting = Fitting { types: &self.types, known, asked: HashMap::new(), questions };
        let answer = fitting.fits(kind, default);
        self.questions.set(fitting.questions);
        answer
    }

    pub(super) fn not_fitting(&self, why: Unjudged, trail: Trail) -> Fault {
        match why {
            Unjudged::Incomplete => self.fault(
                trail,
                "默认值含有该字段自身所属的记录",
                "the default holds a record that the field itself belongs to",
            ),
            Unjudged::TooMuch => self.fault(
                trail,
                format!("核对各默认值所需的步骤到此已超过 {MOST_QUESTIONS};请缩短默认值,或减少联合类型的分支"),
                format!(
                    "to judge the defaults up to this one takes more than {MOST_QUESTIONS} steps; shorten it, or use \
                     fewer branches"
                ),
            ),
        }
    }

    pub(super) fn unfit(&self, kind: Id, trail: Trail) -> Fault {
        let word = self.types[kind.0].kind.word();
        self.fault(
            trail,
            format!("默认值与字段的类型({word})不符"),
            format!("the default does not fit the field's type ({word})"),
        )
    }
}

impl<'a> Fitting<'a> {
    /// Calls go as deep as the default, and through a union once more.
    fn fits(&mut self, kind: Id, value: &Json) -> Result<bool, Unjudged> {
        self.ask(1)?;
        let types = self.types;
        match &types[kind.0].kind {
            Kind::Primitive(primitive) => Ok(fits_primitive(*primitive, value)),
            Kind::Enum(..) | Kind::Fixed(..) => Ok(value.text().is_some()),
            Kind::Unresolved(name) => match self.known {
                Some((names, _)) => match names.get(name) {
                    Some(id) => self.fits(*id, value),
                    None => Ok(false),
                },
                None => Ok(matches!(value, Json::Object(_))),
            },
            within => {
                let question = (kind, std::ptr::from_ref(value));
                if let Some(known) = self.asked.get(&question) {
                    return Ok(*known);
                }
                let answer = self.fits_within(kind, within, value)?;
                self.asked.insert(question, answer);
                Ok(answer)
            }
        }
    }

    fn fits_within(&mut self, id: Id, kind: &'a Kind, value: &Json) -> Result<bool, Unjudged> {
        match (kind, value) {
            (Kind::Array(items), Json::Array(values)) => self.all(values.iter().map(|value| (*items, value))),
            (Kind::Map(of), Json::Object(members)) => self.all(members.iter().map(|(_, value)| (*of, value))),
            (Kind::Union(branches), value) => {
                for branch in branches {
                    if self.fits(*branch, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Kind::Record(_, record), Json::Object(_)) => {
                if self.known.is_some_and(|(_, complete)| !complete.contains(&id)) {
                    return Err(Unjudged::Incomplete);
                }
                self.fits_record(record, value)
            }
            _ => Ok(false),
        }
    }

    fn fits_record(&mut self, record: &Record, value: &Json) -> Result<bool, Unjudged> {
        let Json::Object(members) = value else { return Ok(false) };
        for field in &record.fields {
            // A member is looked for among all of them.
            self.ask(1 + members.len() / 64)?;
            // A field's own default was found to fit when the record was read.
            let fits = match members.get(&field.name) {
                Some(value) => self.fits(field.kind, value)?,
                None => field.default.is_some(),
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn ask(&mut self, more: usize) -> Result<(), Unjudged> {
        self.questions += more;
        if self.questions > MOST_QUESTIONS { Err(Unjudged::TooMuch) } else { Ok(()) }
    }

    fn all<'v>(&mut self, parts: impl Iterator<Item = (Id, &'v Json)>) -> Result<bool, Unjudged> {
        for (kind, value) in parts {
            if !self.fits(kind, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn fits_primitive(primitive: Primitive, value: &Json) -> bool {
    match (primitive, value) {
        (Primitive::Null, Json::Null)
        | (Primitive::Boolean, Json::Bool(_))
        | (Primitive::Bytes | Primitive::String, Json::Text(_))
        | (Primitive::Float | Primitive::Double, Json::Whole(_) | Json::Real(_)) => true,
        (Primitive::Int, value) => value.whole().is_some_and(|number| i32::try_from(number).is_ok()),
        (Primitive::Long, value) => value.whole().is_some(),
        _ => false,
    }
}
