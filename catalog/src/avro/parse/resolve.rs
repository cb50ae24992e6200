//! Every name gets what it stands for. A type may be named before its definition ends, so this is done when the text has
//! been read; defaults are then judged again. Java does both in one walk, and refuses a default that needs the fields of
//! a record which that walk has not finished: the walk here has the same order. What is below a type is walked once,
//! whoever holds it: types refer to each other forwards by names alone, so whatever is left is done for good.

use std::collections::HashSet;

use super::Parser;
use super::default::Unjudged;
use crate::avro::fault::Fault;
use crate::avro::model::{Id, Kind};
use crate::avro::path::Trails;
use crate::avro::rules::MOST_STEPS;

/// What is left of a walk through everything below one type; a name that stands for a type not begun yet begins another
/// walk within it, which enters anew what this one has not left.
type Walk = Vec<Todo>;

enum Todo {
    Enter(Id),
    /// Everything below it is done.
    Leave(Id),
}

#[derive(Default)]
pub(super) struct Progress {
    /// Records and names met.
    begun: HashSet<Id>,
    /// Records whose fields are known.
    complete: HashSet<Id>,
    /// Types with nothing to do at them or below.
    done: HashSet<Id>,
    /// How many of the definitions were walked, and of the types replaced.
    walked: usize,
    replaced: usize,
    steps: usize,
}

impl Parser {
    /// The top with nothing unresolved below it.
    pub(super) fn resolve(&mut self, top: Id) -> Result<Id, Fault> {
        let mut progress = std::mem::take(&mut self.progress);
        let walked = self.walk_all(top, &mut progress);
        self.progress = progress;
        walked?;
        if !self.faults.none() {
            return Ok(top);
        }
        if !self.rules.recursion {
            self.measure(top)?;
        }
        let from = std::mem::replace(&mut self.progress.replaced, self.types.len());
        self.replace(from);
        self.check_all(from);
        Ok(self.target(top))
    }

    fn walk_all(&mut self, top: Id, progress: &mut Progress) -> Result<(), Fault> {
        for place in progress.walked..self.defined.len() {
            self.walk(self.defined[place], progress)?;
        }
        progress.walked = self.defined.len();
        if self.types[top.0].kind.named().is_none() {
            self.walk(top, progress)?;
        }
        Ok(())
    }

    fn walk(&mut self, from: Id, progress: &mut Progress) -> Result<(), Fault> {
        let mut walks: Vec<Walk> = vec![vec![Todo::Enter(from)]];
        while let Some(walk) = walks.last_mut() {
            match walk.pop() {
                None => {
                    walks.pop();
                }
                Some(Todo::Leave(id)) => self.leave(id, progress),
                Some(Todo::Enter(id)) => {
                    if let Some(first) = self.enter(id, walk, progress) {
                        walk.push(Todo::Enter(id));
                        walks.push(vec![Todo::Enter(first)]);
                    }
                }
            }
            if progress.steps > MOST_STEPS {
                return Err(self.fault(
                    Trails::TOP,
                    format!("确定各名称所指的类型需要 {MOST_STEPS} 步以上;请先定义、后引用"),
                    format!(
                        "to find what the names stand for takes more than {MOST_STEPS} steps; define types before \
                         they are named"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Begins a type; answers another that must be walked first.
    fn enter(&mut self, id: Id, walk: &mut Walk, progress: &mut Progress) -> Option<Id> {
        progress.steps += 1;
        if progress.done.contains(&id) {
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
            progress.done.insert(id);
            return None;
        }
        let mut children = kind.children();
        // Java puts them on its stack so that a record's fields come in their order, a union's branches from the last.
        if matches!(kind, Kind::Record(..)) {
            children.reverse();
            progress.begun.insert(id);
        }
        progress.steps += children.len();
        walk.push(Todo::Leave(id));
        walk.extend(children.into_iter().map(Todo::Enter));
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
        progress.done.insert(id);
        let Kind::Record(_, record) = &self.types[id.0].kind else { return };
        if !progress.complete.contains(&id) && self.rules.defaults && self.faults.none() {
            let trail = self.types[id.0].trail;
            let mut found: Vec<(usize, Result<Id, Unjudged>)> = Vec::new();
            for (place, field) in record.fields.iter().enumerate() {
                let Some(default) = &field.default else { continue };
                match self.fits_known(field.kind, default, &progress.complete) {
                    Ok(true) => {}
                    Ok(false) => found.push((place, Ok(field.kind))),
                    Err(why) => found.push((place, Err(why))),
                }
            }
            for (place, unfit) in found {
                let trail = self.trails.member(trail, "fields");
                let trail = self.trails.element(trail, place);
                let trail = self.trails.member(trail, "default");
                let fault = match unfit {
                    Ok(kind) => self.unfit(kind, trail),
                    Err(why) => self.not_fitting(why, trail),
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

    fn replace(&mut self, from: usize) {
        for at in from..self.types.len() {
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
