//! Whether a reader can take everything that a writer may have written: the rules of Java's `SchemaCompatibility`
//! (Avro 1.12) to the letter, order of checks included. A pair of types is judged once; one that is asked about while it
//! is judged counts as compatible, so a type that holds itself comes to an end. The walk keeps its own stack: schemas
//! chained by names may be deeper than a thread's.

mod judge;

use std::collections::{HashMap, HashSet};

use self::judge::Judged;
use super::difference::{Difference, What};
use super::place::{Place, Places, Step};
use super::work::{MOST_OF_A_PAIR, Work};
use crate::avro::{Id, Schema};

/// Bytes of what is told; what is left is counted.
pub(super) const MOST_TOLD: usize = 4 << 20;

/// Unions within unions whose branches are explained.
const MOST_REASONS: usize = 8;

/// What a reader makes of a writer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Each once, in the order in which Java finds them.
    pub differences: Vec<Difference>,
    /// Found beyond what can be told.
    pub omitted: usize,
    /// Java would answer with an exception instead of its findings.
    pub gave_up: bool,
}

impl Reading {
    #[must_use]
    pub fn compatible(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Reads with one schema what the other wrote.
#[must_use]
pub fn read(reader: &Schema, writer: &Schema) -> Reading {
    read_within(reader, writer, &mut Work::default())
}

/// The same with what is left to a question about many.
#[must_use]
pub fn read_within(reader: &Schema, writer: &Schema, work: &mut Work) -> Reading {
    let mut walk = Walk {
        reader,
        writer,
        places: Places::default(),
        found: Vec::new(),
        verdicts: Vec::new(),
        known: HashMap::new(),
        fields: HashMap::new(),
        work: 0,
        most: work.left().min(MOST_OF_A_PAIR),
        gave_up: false,
    };
    let top = walk.run();
    work.take(walk.work);
    let (differences, omitted) = walk.tell(top);
    Reading { differences, omitted, gave_up: walk.gave_up }
}

/// A pair of types where it is met.
#[derive(Debug, Clone, Copy)]
struct At {
    reader: Id,
    writer: Id,
    /// Java's.
    location: Place,
    reader_path: Place,
    writer_path: Place,
}

/// What is known of a pair: its findings, and those of pairs below.
#[derive(Debug, Default)]
struct Verdict {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Found(usize),
    Below(usize),
}

#[derive(Debug)]
struct Found<'a> {
    what: What<'a>,
    at: At,
    /// Verdicts that explain it.
    because: Vec<usize>,
}

/// What was told so far.
struct Telling {
    /// Verdicts that explained something.
    explained: HashSet<usize>,
    bytes: usize,
}

/// What is left to do for a pair.
#[derive(Debug)]
enum Task<'a> {
    Found(What<'a>, At),
    /// Its findings are the pair's.
    Below(At),
    /// A branch of the writer's union: it counts whether it can be read, not why not.
    Branch(At, What<'a>, At),
    /// A branch of the reader's union: the first that can read ends the search.
    Alternative(At),
    /// No alternative could.
    NoneOf(What<'a>, At),
}

#[derive(Debug)]
struct Frame<'a> {
    pair: (Id, Id),
    /// In reverse.
    tasks: Vec<Task<'a>>,
    verdict: Verdict,
    /// Alternatives tried.
    tried: Vec<usize>,
}

struct Walk<'a> {
    reader: &'a Schema,
    writer: &'a Schema,
    places: Places<'a>,
    found: Vec<Found<'a>>,
    verdicts: Vec<Verdict>,
    /// Pairs met; `None` while one is judged.
    known: HashMap<(Id, Id), Option<usize>>,
    /// Fields of the writer's records by name.
    fields: HashMap<Id, HashMap<&'a str, Id>>,
    work: usize,
    /// More of it is too much.
    most: usize,
    gave_up: bool,
}

impl<'a> Walk<'a> {
    /// Verdict of the two tops.
    fn run(&mut self) -> usize {
        let top = At {
            reader: self.reader.top(),
            writer: self.writer.top(),
            location: Places::TOP,
            reader_path: Places::TOP,
            writer_path: Places::TOP,
        };
        // Place of the compatible verdict, for a pair that is being judged.
        self.verdicts.push(Verdict::default());
        let mut frames = vec![self.begin(top)];
        let mut last = 0;
        while let Some(mut frame) = frames.pop() {
            let Some(task) = frame.tasks.pop() else {
                last = self.verdicts.len();
                self.verdicts.push(frame.verdict);
                self.known.insert(frame.pair, Some(last));
                continue;
            };
            if self.work > self.most {
                return self.too_complex(top);
            }
            match self.below(&task) {
                Some(at) => match self.known.get(&(at.reader, at.writer)) {
                    Some(known) => {
                        self.absorb(&mut frame, task, known.unwrap_or(0));
                        frames.push(frame);
                    }
                    None => {
                        frame.tasks.push(task);
                        let begun = self.begin(at);
                        frames.extend([frame, begun]);
                    }
                },
                None => {
                    self.absorb(&mut frame, task, 0);
                    frames.push(frame);
                }
            }
        }
        last
    }

    fn begin(&mut self, at: At) -> Frame<'a> {
        let pair = (at.reader, at.writer);
        self.known.insert(pair, None);
        let Judged { mut tasks, work } = self.judge(at);
        self.work += work + 1;
        tasks.reverse();
        Frame { pair, tasks, verdict: Verdict::default(), tried: Vec::new() }
    }

    /// The pair that must be judged before the task can be done.
    fn below(&self, task: &Task<'a>) -> Option<At> {
        match task {
            Task::Below(at) | Task::Branch(at, ..) | Task::Alternative(at) => Some(*at),
            Task::Found(..) | Task::NoneOf(..) => None,
        }
    }

    /// Does a task, with the verdict of the pair below it.
    fn absorb(&mut self, frame: &mut Frame<'a>, task: Task<'a>, below: usize) {
        let compatible = self.compatible(below);
        match task {
            Task::Found(what, at) => self.add(frame, what, at, Vec::new()),
            Task::Below(_) => {
                if !compatible {
                    frame.verdict.parts.push(Part::Below(below));
                }
            }
            Task::Branch(_, what, at) => {
                if !compatible {
                    self.add(frame, what, at, vec![below]);
                }
            }
            Task::Alternative(_) if compatible => frame.tasks.clear(),
            Task::Alternative(_) => frame.tried.push(below),
            Task::NoneOf(what, at) => {
                let tried = std::mem::take(&mut frame.tried);
                self.add(frame, what, at, tried);
            }
        }
    }

    fn add(&mut self, frame: &mut Frame<'a>, what: What<'a>, at: At, because: Vec<usize>) {
        self.gave_up |= matches!(what, What::Ambiguous(..));
        frame.verdict.parts.push(Part::Found(self.found.len()));
        self.found.push(Found { what, at, because });
    }

    /// A verdict has a part only for what is incompatible.
    fn compatible(&self, verdict: usize) -> bool {
        self.verdicts[verdict].parts.is_empty()
    }

    fn too_complex(&mut self, at: At) -> usize {
        self.found.push(Found { what: What::TooComplex, at, because: Vec::new() });
        self.verdicts.push(Verdict { parts: vec![Part::Found(self.found.len() - 1)] });
        self.verdicts.len() - 1
    }

    /// Writes out what a verdict holds, each finding once, and counts what is too much.
    fn tell(&self, verdict: usize) -> (Vec<Difference>, usize) {
        let findings = self.findings(verdict, &mut HashSet::new());
        let mut telling = Telling { explained: HashSet::new(), bytes: 0 };
        let mut told = Vec::new();
        for found in &findings {
            if telling.bytes > MOST_TOLD {
                break;
            }
            told.push(self.difference(*found, &mut telling, MOST_REASONS));
        }
        let omitted = findings.len() - told.len();
        (told, omitted)
    }

    /// In order; `met` are verdicts told already.
    fn findings(&self, verdict: usize, met: &mut HashSet<usize>) -> Vec<usize> {
        let mut told = Vec::new();
        let mut todo = vec![Part::Below(verdict)];
        while let Some(part) = todo.pop() {
            match part {
                Part::Found(found) => told.push(found),
                Part::Below(below) if met.insert(below) => {
                    todo.extend(self.verdicts[below].parts.iter().rev().copied());
                }
                Part::Below(_) => {}
            }
        }
        told
    }

    /// A finding in a union is explained by those of its branches; a verdict explains once.
    fn difference(&self, place: usize, telling: &mut Telling, deep: usize) -> Difference {
        let Found { what, at, because } = &self.found[place];
        let (reader, writer) = (self.reader.kind(at.reader), self.writer.kind(at.writer));
        let mut told = Difference {
            kind: what.kind(),
            location: self.places.location(at.location),
            message: what.message(reader, writer),
            reader: self.places.path(at.reader_path),
            writer: self.places.path(at.writer_path),
            text: what.text(reader, writer),
            because: Vec::new(),
        };
        let texts = [&told.location, &told.message, &told.reader, &told.writer, &told.text.zh, &told.text.en];
        telling.bytes += texts.into_iter().map(String::len).sum::<usize>();
        for verdict in because.iter().filter(|_| deep > 0) {
            // Reasons take half of what may be told, so that findings are not lost for them.
            for reason in self.findings(*verdict, &mut telling.explained) {
                if telling.bytes > MOST_TOLD / 2 {
                    return told;
                }
                told.because.push(self.difference(reason, telling, deep - 1));
            }
        }
        told
    }

    fn step(&mut self, at: At, word: &'static str) -> At {
        At { location: self.places.add(at.location, Step::Word(word)), ..at }
    }

    fn number(&mut self, at: At, number: usize) -> At {
        At { location: self.places.add(at.location, Step::Number(number)), ..at }
    }
}
