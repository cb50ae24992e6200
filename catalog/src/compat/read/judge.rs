//! What one pair of types asks for, in Java's order.

use std::collections::{HashMap, HashSet};

use super::{At, Place, Places, Step, Task, Walk, What};
use crate::avro::{Enum, Field, Kind, Named, Primitive, Record};

/// The tasks of a pair, and what they cost.
pub(super) struct Judged<'a> {
    pub tasks: Vec<Task<'a>>,
    pub work: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn judge(&mut self, at: At) -> Judged<'a> {
        let (reader, writer) = (self.reader, self.writer);
        match (reader.kind(at.reader), writer.kind(at.writer)) {
            (Kind::Primitive(own), Kind::Primitive(written)) if promotes(*written, *own) => Judged::none(),
            (Kind::Array(own), Kind::Array(written)) => {
                let below = self.elements(at, "items", Step::Items, Step::Items);
                Judged::of(vec![Task::Below(At { reader: *own, writer: *written, ..below })])
            }
            (Kind::Map(own), Kind::Map(written)) => {
                let below = self.elements(at, "values", Step::Values, Step::Values);
                Judged::of(vec![Task::Below(At { reader: *own, writer: *written, ..below })])
            }
            (Kind::Fixed(own, found), Kind::Fixed(written, expected)) => {
                let mut tasks = self.names(at, own, written);
                if found != expected {
                    tasks.push(Task::Found(What::Size, self.step(at, "size")));
                }
                Judged { tasks, work: own.aliases.len() }
            }
            (Kind::Enum(own, symbols), Kind::Enum(written, theirs)) => {
                let mut tasks = self.names(at, own, written);
                tasks.extend(self.symbols(at, symbols, theirs));
                Judged { tasks, work: own.aliases.len() + symbols.symbols.len() + theirs.symbols.len() }
            }
            (Kind::Record(own, record), Kind::Record(written, theirs)) => {
                let mut tasks = self.names(at, own, written);
                let work = own.aliases.len() + self.fields(at, record, theirs, &mut tasks);
                Judged { tasks, work }
            }
            (Kind::Union(_), Kind::Union(branches)) => {
                let mut tasks = Vec::with_capacity(branches.len());
                for (place, branch) in branches.iter().enumerate() {
                    let writer_path = self.branch(at.writer_path, writer.kind(*branch));
                    let counted = self.number(At { writer_path, ..at }, place);
                    // Java begins a location of its own for each branch.
                    let below = At { writer: *branch, location: Places::TOP, writer_path, ..at };
                    tasks.push(Task::Branch(below, What::Branch(writer.kind(*branch)), counted));
                }
                Judged::of(tasks)
            }
            (_, Kind::Union(branches)) => {
                let mut tasks = Vec::with_capacity(branches.len());
                for (place, branch) in branches.iter().enumerate() {
                    let writer_path = self.branch(at.writer_path, writer.kind(*branch));
                    let below = self.number(At { writer: *branch, writer_path, ..at }, place);
                    tasks.push(Task::Below(below));
                }
                Judged::of(tasks)
            }
            (Kind::Union(branches), written) => {
                let mut tasks = Vec::with_capacity(branches.len() + 1);
                for branch in branches {
                    let reader_path = self.branch(at.reader_path, reader.kind(*branch));
                    tasks.push(Task::Alternative(At {
                        reader: *branch,
                        location: Places::TOP,
                        reader_path,
                        ..at
                    }));
                }
                tasks.push(Task::NoneOf(What::Branch(written), at));
                Judged::of(tasks)
            }
            _ => Judged::of(vec![Task::Found(What::Type, at)]),
        }
    }

    fn branch(&mut self, path: Place, kind: &'a Kind) -> Place {
        self.places.add(path, Step::Branch(kind))
    }

    fn elements(&mut self, at: At, word: &'static str, own: Step<'a>, written: Step<'a>) -> At {
        let reader_path = self.places.add(at.reader_path, own);
        let writer_path = self.places.add(at.writer_path, written);
        self.step(At { reader_path, writer_path, ..at }, word)
    }

    /// The unqualified names are equal, or an alias of the reader's is the writer's full name.
    fn names(&mut self, at: At, own: &Named, written: &Named) -> Vec<Task<'a>> {
        let expected = written.name.full();
        // Java shows an alias without a namespace, of a type with one, behind a point: it equals no full name.
        let means = |alias: &crate::avro::Name| {
            (alias.space.is_some() || own.name.space.is_none()) && alias.full() == expected
        };
        if own.name.own == written.name.own || own.aliases.iter().any(means) {
            return Vec::new();
        }
        vec![Task::Found(What::Name, self.step(at, "name"))]
    }

    fn symbols(&mut self, at: At, own: &Enum, written: &Enum) -> Option<Task<'a>> {
        let known: HashSet<_> = own.symbols.iter().collect();
        let all = written.symbols.iter().all(|symbol| known.contains(symbol));
        (!all && own.default.is_none()).then(|| Task::Found(What::Symbols, self.step(at, "symbols")))
    }

    /// Each of the reader's fields comes from a field of the writer's or from its default. Answers the cost.
    fn fields(&mut self, at: At, own: &'a Record, written: &'a Record, tasks: &mut Vec<Task<'a>>) -> usize {
        let within = self.step(at, "fields");
        let mut work =
            own.fields.len() + if self.fields.contains_key(&at.writer) { 0 } else { written.fields.len() };
        for (place, field) in own.fields.iter().enumerate() {
            work += field.aliases.len();
            let reader_path = self.places.add(at.reader_path, Step::Field(&field.name));
            let counted = self.number(At { reader_path, ..within }, place);
            let fits = self.fitting(at, field, written);
            match fits.as_slice() {
                [] if field.default.is_some() => {}
                [] => tasks.push(self.without_default(counted, field)),
                [(name, kind)] => {
                    let writer_path = self.places.add(at.writer_path, Step::Field(name));
                    let below = self.step(counted, "type");
                    tasks.push(Task::Below(At { reader: field.kind, writer: *kind, writer_path, ..below }));
                }
                several => {
                    let fits = several.iter().map(|(name, _)| *name).collect();
                    tasks.push(Task::Found(What::Ambiguous(&field.name, fits), counted));
                }
            }
        }
        work
    }

    /// The writer's fields of that name or one of its aliases; an alias that repeats the name counts again, as in Java.
    fn fitting(&mut self, at: At, field: &'a Field, written: &'a Record) -> Vec<(&'a str, crate::avro::Id)> {
        let fields = self.fields.entry(at.writer).or_insert_with(|| {
            written.fields.iter().map(|field| (field.name.as_str(), field.kind)).collect::<HashMap<_, _>>()
        });
        let names = std::iter::once(&field.name).chain(&field.aliases);
        names.filter_map(|name| fields.get(name.as_str()).map(|kind| (name.as_str(), *kind))).collect()
    }

    /// An enum with a default of its own is held against the writer's record, as Java does: it never fits.
    fn without_default(&mut self, counted: At, field: &'a Field) -> Task<'a> {
        if let Kind::Enum(_, Enum { default: Some(_), .. }) = self.reader.kind(field.kind) {
            let below = self.step(counted, "type");
            return Task::Below(At { reader: field.kind, ..below });
        }
        Task::Found(What::Default(&field.name), counted)
    }
}

impl<'a> Judged<'a> {
    fn none() -> Self {
        Self::of(Vec::new())
    }

    fn of(tasks: Vec<Task<'a>>) -> Self {
        let work = tasks.len();
        Self { tasks, work }
    }
}

/// Whether what is written as one can be read as the other.
fn promotes(written: Primitive, own: Primitive) -> bool {
    use Primitive::{Bytes, Double, Float, Int, Long, String};
    written == own
        || matches!(
            (written, own),
            (Int, Long | Float | Double)
                | (Long, Float | Double)
                | (Float, Double)
                | (String, Bytes)
                | (Bytes, String)
        )
}
