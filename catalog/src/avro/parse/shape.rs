//! What can only be told when every name stands for something: how deep and wide a schema is, whether a type holds
//! itself, whether a union has a branch twice.

use std::collections::HashSet;

use super::Parser;
use crate::avro::fault::{Fault, Faults};
use crate::avro::model::{Id, Kind};
use crate::avro::rules::{MOST_DEPTH, MOST_FIELDS};

/// What is known of a type with all that it holds, named types at each of their uses.
#[derive(Clone, Copy, Default)]
struct Shape {
    height: usize,
    fields: usize,
}

enum Known {
    Open,
    Done(Shape),
}

impl Parser {
    /// Refuses a schema where a type holds itself, or that is too deep or too wide with its names written out.
    pub(super) fn measure(&mut self, top: Id) -> Result<(), Fault> {
        let mut known: Vec<Option<Known>> = self.types.iter().map(|_| None).collect();
        // A type comes twice: when it is met, and when everything below it is known.
        let mut todo = vec![(top, top, false)];
        while let Some((reference, parent, below)) = todo.pop() {
            let id = self.target(reference);
            if below {
                let shape = self.shape(id, &known);
                self.check_shape(shape, id)?;
                known[id.0] = Some(Known::Done(shape));
                continue;
            }
            match &known[id.0] {
                Some(Known::Done(_)) => {}
                Some(Known::Open) => {
                    // The reference itself has a place only where it was read before the definition ended.
                    let place = if reference == id { parent } else { reference };
                    return Err(self.fault(
                        self.types[place.0].trail,
                        "类型包含自身;此处不接受递归模式",
                        "the type holds itself; recursive schemas are not taken here",
                    ));
                }
                None => {
                    known[id.0] = Some(Known::Open);
                    todo.push((id, parent, true));
                    let children = self.types[id.0].kind.children();
                    todo.extend(children.into_iter().rev().map(|child| (child, id, false)));
                }
            }
        }
        Ok(())
    }

    fn shape(&self, id: Id, known: &[Option<Known>]) -> Shape {
        let kind = &self.types[id.0].kind;
        let mut shape = Shape::default();
        for child in kind.children() {
            if let Some(Known::Done(below)) = &known[self.target(child).0] {
                shape.height = shape.height.max(below.height);
                shape.fields = shape.fields.saturating_add(below.fields);
            }
        }
        shape.height += 1;
        if let Kind::Record(_, record) = kind {
            shape.fields = shape.fields.saturating_add(record.fields.len());
        }
        shape
    }

    fn check_shape(&self, shape: Shape, id: Id) -> Result<(), Fault> {
        let trail = self.types[id.0].trail;
        if shape.height > MOST_DEPTH {
            return Err(self.too_deep(trail));
        }
        if shape.fields > MOST_FIELDS {
            return Err(self.fault(
                trail,
                format!("按引用展开后字段超过 {MOST_FIELDS} 个"),
                format!("more than {MOST_FIELDS} fields where each use of a type counts"),
            ));
        }
        Ok(())
    }

    /// Refuses what would be too deep once written: there a named type stands in full where it comes first, which may
    /// be far from where it was read.
    pub(super) fn check_written(&self, top: Id) -> Result<(), Faults> {
        let mut known = HashSet::new();
        let mut todo = vec![(top, 1)];
        while let Some((id, depth)) = todo.pop() {
            let found = &self.types[id.0];
            if found.kind.named().is_some_and(|named| !known.insert(named.name.full())) {
                continue;
            }
            if depth > MOST_DEPTH {
                let mut faults = Faults::default();
                faults.add(self.too_deep(found.trail));
                return Err(faults);
            }
            todo.extend(found.kind.children().into_iter().rev().map(|child| (child, depth + 1)));
        }
        Ok(())
    }

    /// Unions name each branch once, and what Java keeps of a type's properties can be kept.
    pub(super) fn check_all(&mut self, from: usize) {
        let mut found = Vec::new();
        for known in &self.types[from..] {
            match &known.kind {
                Kind::Union(branches) => {
                    let mut seen = HashSet::new();
                    let twice =
                        branches.iter().any(|branch| !seen.insert(self.types[branch.0].kind.branch()));
                    found.extend(twice.then(|| {
                        self.fault(known.trail, "联合类型的分支重复", "a branch of the union is there twice")
                    }));
                }
                Kind::Array(_) | Kind::Map(_) | Kind::Record(..) => {
                    let huge = known.properties.iter().any(|(_, value)| value.has_huge());
                    found.extend(huge.then(|| {
                        self.fault(
                            known.trail,
                            "属性中有超出 64 位的整数",
                            "a property holds a whole number beyond 64 bits",
                        )
                    }));
                }
                _ => {}
            }
        }
        found.into_iter().for_each(|fault| self.faults.add(fault));
    }
}
