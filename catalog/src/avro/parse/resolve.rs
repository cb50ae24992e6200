//! Every name gets what it stands for. A type may be named before its definition ends, so this is done when the text has
//! been read; defaults are then judged again. Java does both in one walk, and refuses a default that needs the fields of
//! a record which that walk has not finished: the walk here has the same order.

use std::collections::HashSet;

use super::Parser;
use crate::avro::fault::Fault;
use crate::avro::model::{Id, Kind};

/// A walk through everything below one type; a name that stands for a type not begun yet begins another within it.
struct Walk {
    todo: Vec<Todo>,
    visited: HashSet<Id>,
}

enum Todo {
    Enter(Id),
    /// Everything below it is done.
    Leave(Id),
}

#[derive(Default)]
struct Progress {
    /// Records and names met.
    begun: HashSet<Id>,
    /// Records whose fields are known.
    complete: HashSet<Id>,
}

impl Walk {
    fn from(id: Id) -> Self {
        Self { todo: vec![Todo::Enter(id)], visited: HashSet::new() }
    }
}

impl Parser {
    /// The top with nothing unresolved below it.
    pub(super) fn resolve(&mut self, top: Id) -> Result<Id, Fault> {
        let mut progress = Progress::default();
        for id in self.defined.clone() {
            self.walk(id, &mut progress);
        }
        if self.types[top.0].kind.named().is_none() {
            self.walk(top, &mut progress);
        }
        if !self.faults.none() {
            return Ok(top);
        }
        if !self.rules.recursion {
            self.measure(top)?;
        }
        self.replace();
        self.check_all();
        let top = self.target(top);
        self.check_written(top);
        Ok(top)
    }

    fn walk(&mut self, from: Id, progress: &mut Progress) {
        let mut walks = vec![Walk::from(from)];
        while let Some(walk) = walks.last_mut() {
            match walk.todo.pop() {
                None => {
                    walks.pop();
                }
                Some(Todo::Leave(id)) => self.leave(id, progress),
                Some(Todo::Enter(id)) => {
                    if let Some(first) = self.enter(id, walk, progress) {
                        walk.todo.push(Todo::Enter(id));
                        walks.push(Walk::from(first));
                    }
                }
            }
        }
    }

    /// Begins a type; answers another that must be walked first.
    fn enter(&mut self, id: Id, walk: &mut Walk, progress: &mut Progress) -> Option<Id> {
        if walk.visited.contains(&id) {
            return None;
        }
        let kind = &self.types[id.0].kind;
        if let Kind::Unresolved(name) = kind {
            match self.names.get(name) {
                Some(target) if !progress.begun.contains(target) && !progress.begun.contains(&id) => {
                    // An enum or a fixed type is walked at once, so that it needs no second look.
                    progress.begun.insert(id);
                    return Some(*target);
                }
                Some(_) => {}
                None => self.undefined(id),
            }
            walk.visited.insert(id);
            return None;
        }
        let mut children = kind.children();
        // Java puts them on its stack so that a record's fields come in their order, a union's branches from the last.
        if matches!(kind, Kind::Record(..)) {
            children.reverse();
            progress.begun.insert(id);
        }
        walk.visited.insert(id);
        walk.todo.push(Todo::Leave(id));
        walk.todo.extend(children.into_iter().map(Todo::Enter));
        None
    }

    fn undefined(&mut self, id: Id) {
        let found = &self.types[id.0];
        let Kind::Unresolved(name) = &found.kind else { return };
        let shown = name.chars().take(80).collect::<String>().escape_debug().to_string();
        let fault = self.fault(
            found.trail,
            format!("没有名为“{shown}”的类型"),
            format!("no type has the name \"{shown}\""),
        );
        self.faults.add(fault);
    }

    /// A record's fields are known from here on; their defaults must fit.
    fn leave(&mut self, id: Id, progress: &mut Progress) {
        let Kind::Record(_, record) = &self.types[id.0].kind else { return };
        if !progress.complete.contains(&id) && self.rules.defaults && self.faults.none() {
            let trail = self.types[id.0].trail;
            let mut found = Vec::new();
            for (place, field) in record.fields.iter().enumerate() {
                let Some(default) = &field.default else { continue };
                match self.fits_known(field.kind, default, &progress.complete) {
                    Ok(true) => {}
                    Ok(false) => found.push((place, Some(field.kind))),
                    Err(_) => found.push((place, None)),
                }
            }
            for (place, unfit) in found {
                let trail = self.trails.member(trail, "fields");
                let trail = self.trails.element(trail, place);
                let trail = self.trails.member(trail, "default");
                let fault = match unfit {
                    Some(kind) => self.unfit(kind, trail),
                    None => self.fault(
                        trail,
                        "默认值含有该字段自身所属的记录",
                        "the default holds a record that the field itself belongs to",
                    ),
                };
                self.faults.add(fault);
            }
        }
        progress.complete.insert(id);
    }

    /// What a type stands for: itself unless it is a name.
    pub(super) fn target(&self, id: Id) -> Id {
        match &self.types[id.0].kind {
            Kind::Unresolved(name) => self.names.get(name).copied().unwrap_or(id),
            _ => id,
        }
    }

    fn replace(&mut self) {
        for at in 0..self.types.len() {
            let mut kind = self.types[at].kind.clone();
            match &mut kind {
                Kind::Array(of) | Kind::Map(of) => *of = self.target(*of),
                Kind::Union(branches) => {
                    branches.iter_mut().for_each(|branch| *branch = self.target(*branch))
                }
                Kind::Record(_, record) => {
                    record.fields.iter_mut().for_each(|field| field.kind = self.target(field.kind));
                }
                _ => continue,
            }
            self.types[at].kind = kind;
        }
    }
}
