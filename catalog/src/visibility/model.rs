//! The property test of the protocol (protocol.md 3 to 5) against the functions of this module: writers on two servers
//! that die, pause, race, retry and don't hear their commit's answer, brokers that name false offsets, a settling job,
//! readers. Every promise holds; and with any one of seven rules left out some seed breaks one, so this test can fail.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PARTITIONS: usize = 3;
/// Ticks; longer than an attempt takes that isn't paused.
const SETTLE_AFTER: usize = 8;
const TICKS: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A run below `settled` or over a stored run makes its attempt dead.
    Late,
    /// Dead runs outlive the settling.
    Dead,
    /// `settled` is read before the runs.
    Torn,
    /// An acknowledgement without a true offset kills the attempt.
    Report,
    /// An attempt lives or dies whole.
    Whole,
    /// A commit without an answer decides nothing.
    Unknown,
    /// One key, another body: refused.
    Body,
}

const RULES: [Rule; 7] =
    [Rule::Late, Rule::Dead, Rule::Torn, Rule::Report, Rule::Whole, Rule::Unknown, Rule::Body];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Append,
    Commit,
    Paused,
    /// COMMIT was sent and no answer came; it lands (or not) in so many ticks.
    Unheard(usize),
    Over,
}

struct Attempt {
    key: usize,
    /// Which of two bodies it publishes; a key is meant for one.
    body: bool,
    size: usize,
    /// Partitions of the records still to append.
    todo: Vec<usize>,
    offsets: Vec<(i32, i64)>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Dead,
    Refused,
    /// The receipt of this attempt.
    Receipt(usize),
}

#[derive(Default)]
struct Store {
    views: [PartitionView; PARTITIONS],
    keys: BTreeMap<usize, (usize, bool)>,
}

impl Store {
    fn view(&mut self, run: &Run) -> &mut PartitionView {
        &mut self.views[run.partition as usize]
    }

    /// One transaction: key, settled marks, runs.
    fn commit(&mut self, id: usize, attempt: &Attempt, runs: &[Run], left_out: Option<Rule>) -> Answer {
        let late = runs.iter().any(|run| self.view(run).admit(run.first, run.last).is_err());
        if let Some((winner, body)) = self.keys.get(&attempt.key).copied() {
            self.record_dead(runs);
            let refused = body != attempt.body && left_out != Some(Rule::Body);
            return if refused { Answer::Refused } else { Answer::Receipt(winner) };
        }
        if late && !matches!(left_out, Some(Rule::Late | Rule::Whole)) {
            self.record_dead(runs);
            return Answer::Dead;
        }
        self.keys.insert(attempt.key, (id, attempt.body));
        for run in runs {
            let stored = StoredRun { first: run.first, last: run.last, verdict: Verdict::Committed };
            if self.view(run).insert(stored).is_err() && left_out == Some(Rule::Late) {
                self.overwrite(run, Verdict::Committed);
            }
        }
        Answer::Receipt(id)
    }

    fn record_dead(&mut self, runs: &[Run]) {
        for run in runs {
            for part in self.view(run).free(run.first, run.last) {
                self.view(run).insert(part).unwrap();
            }
        }
    }

    /// What no real function does: a verdict over others.
    fn overwrite(&mut self, run: &Run, verdict: Verdict) {
        let view = self.view(run);
        view.runs.retain(|stored| stored.last < run.first || run.last < stored.first);
        let at = view.runs.partition_point(|stored| stored.first < run.first);
        view.runs.insert(at, StoredRun { first: run.first, last: run.last, verdict });
    }

    fn settle(&mut self, partition: usize, noted_end: i64, left_out: Option<Rule>) {
        let view = &mut self.views[partition];
        if let Some(change) = view.settle(noted_end, 0) {
            view.apply(&change);
        }
        if left_out == Some(Rule::Dead) {
            view.runs.retain(|run| run.first >= view.settled);
        }
    }
}

fn gather(offsets: &[(i32, i64)]) -> Result<Vec<Run>, Misreport> {
    let mut gather = Gather::default();
    offsets.iter().for_each(|&(partition, offset)| gather.push(partition, offset));
    gather.finish()
}

struct Round {
    random: Random,
    left_out: Option<Rule>,
    store: Store,
    /// Per partition which attempt wrote each record.
    log: [Vec<usize>; PARTITIONS],
    attempts: Vec<Attempt>,
    /// Per partition the log's end at the last ticks.
    noted: [[i64; SETTLE_AFTER]; PARTITIONS],
    position: [i64; PARTITIONS],
    read: [Vec<i64>; PARTITIONS],
    /// Attempt, and the receipt its client was given.
    told: Vec<(usize, usize)>,
    happened: BTreeMap<&'static str, usize>,
}

impl Round {
    fn run(seed: u64, left_out: Option<Rule>) -> (Result<(), String>, BTreeMap<&'static str, usize>) {
        let mut round = Self {
            random: Random(seed),
            left_out,
            store: Store::default(),
            log: Default::default(),
            attempts: Vec::new(),
            noted: [[0; SETTLE_AFTER]; PARTITIONS],
            position: [0; PARTITIONS],
            read: Default::default(),
            told: Vec::new(),
            happened: BTreeMap::new(),
        };
        let keys = 2 + round.random.below(11);
        for tick in 0..TICKS {
            if tick < 250 && round.random.percent(35) {
                round.start(keys);
            }
            for id in 0..round.attempts.len() {
                round.step(id, tick);
            }
            for partition in 0..PARTITIONS {
                round.settle_and_read(partition);
            }
        }
        (round.judge(), round.happened)
    }

    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    fn start(&mut self, keys: usize) {
        let fresh = 1_000 + self.attempts.len();
        let key = if self.random.percent(40) { self.random.below(keys) } else { fresh };
        let size = 1 + self.random.below(9);
        let todo = (0..size).map(|_| self.random.below(PARTITIONS)).collect();
        let body = self.random.percent(90);
        self.attempts.push(Attempt { key, body, size, todo, offsets: Vec::new(), state: State::Append });
    }

    fn step(&mut self, id: usize, tick: usize) {
        match self.attempts[id].state {
            State::Over => {}
            State::Unheard(0) => self.land(id),
            State::Unheard(ticks) => self.attempts[id].state = State::Unheard(ticks - 1),
            State::Paused => {
                if self.random.percent(4) || tick > 330 {
                    self.count("resumed");
                    let appended = self.attempts[id].todo.is_empty();
                    self.attempts[id].state = if appended { State::Commit } else { State::Append };
                }
            }
            State::Append | State::Commit if self.random.percent(2) => self.end(id, "died"),
            State::Append | State::Commit if self.random.percent(3) => {
                self.attempts[id].state = State::Paused;
                self.count("paused");
            }
            State::Append => self.append(id),
            State::Commit => self.commit(id),
        }
    }

    fn end(&mut self, id: usize, how: &'static str) {
        self.attempts[id].state = State::Over;
        self.count(how);
    }

    fn append(&mut self, id: usize) {
        for _ in 0..=self.random.below(4) {
            let Some(partition) = self.attempts[id].todo.pop() else { break };
            self.log[partition].push(id);
            let offset = self.log[partition].len() as i64 - 1;
            self.attempts[id].offsets.push((partition as i32, offset));
        }
        if self.attempts[id].todo.is_empty() {
            self.attempts[id].state = State::Commit;
        }
    }

    fn commit(&mut self, id: usize) {
        let false_report = self.random.percent(3);
        let Ok(runs) = gather(&self.reported(id, false_report)) else { return self.end(id, "false report") };
        if self.random.percent(5) {
            self.count("unheard");
            self.attempts[id].state = State::Unheard(self.random.below(4));
            return;
        }
        let answer = self.store.commit(id, &self.attempts[id], &runs, self.left_out);
        if self.random.percent(10) {
            return self.end(id, "died before the answer");
        }
        self.answer(id, answer);
    }

    /// Offsets as the broker names them; a false answer numbers from −1, as librdkafka does.
    fn reported(&self, id: usize, false_report: bool) -> Vec<(i32, i64)> {
        let offsets = &self.attempts[id].offsets;
        if !false_report {
            return offsets.clone();
        }
        let base = if self.left_out == Some(Rule::Report) { 0 } else { -1 };
        (base..).zip(offsets).map(|(offset, (partition, _))| (*partition, offset)).collect()
    }

    /// A COMMIT whose answer was lost reaches the store, or not. The server then asks what stands.
    fn land(&mut self, id: usize) {
        let runs = gather(&self.attempts[id].offsets).unwrap();
        let landed = self.random.percent(70);
        if landed {
            self.store.commit(id, &self.attempts[id], &runs, self.left_out);
        }
        if self.left_out == Some(Rule::Unknown) {
            for run in &runs {
                if run.first >= self.store.view(run).settled {
                    self.store.overwrite(run, Verdict::Dead);
                }
            }
        }
        let stands = self.store.keys.get(&self.attempts[id].key).filter(|(winner, _)| *winner == id);
        match stands {
            Some(_) => self.answer(id, Answer::Receipt(id)),
            None => self.end(id, "outcome unknown"),
        }
    }

    fn answer(&mut self, id: usize, answer: Answer) {
        match answer {
            Answer::Dead => self.end(id, "dead"),
            Answer::Refused => self.end(id, "refused"),
            Answer::Receipt(winner) => {
                self.told.push((id, winner));
                self.end(id, if winner == id { "acknowledged" } else { "replayed" });
            }
        }
    }

    /// The job comes between the reader's two looks at the store.
    fn settle_and_read(&mut self, partition: usize) {
        let before = self.store.views[partition].clone();
        if self.random.percent(50) {
            self.store.settle(partition, self.noted[partition][0], self.left_out);
        }
        let after = self.store.views[partition].clone();
        self.noted[partition].rotate_left(1);
        self.noted[partition][SETTLE_AFTER - 1] = self.log[partition].len() as i64;
        let seen = if self.left_out == Some(Rule::Torn) {
            PartitionView { settled: after.settled, runs: before.runs }
        } else {
            PartitionView { settled: before.settled, runs: after.runs }
        };
        let at = self.position[partition];
        let to = seen.stable_end().min(at + self.random.below(12) as i64).max(at);
        self.read[partition].extend(seen.visible(at, to).flatten());
        self.position[partition] = to;
    }

    fn judge(&self) -> Result<(), String> {
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let (at, end) = (self.position[partition], self.log[partition].len() as i64);
            if at != end {
                return Err(format!("a reader is stuck at {partition}:{at} of {end}"));
            }
            let counts: Vec<i64> = self.store.views[partition].visible(0, end).flatten().collect();
            if self.read[partition] != counts {
                return Err(format!("what was read of partition {partition} is not what counts in the end"));
            }
            for offset in &self.read[partition] {
                *seen.entry(self.log[partition][*offset as usize]).or_default() += 1;
            }
        }
        let mut by_key: BTreeMap<usize, usize> = BTreeMap::new();
        for (id, records) in seen {
            let attempt = &self.attempts[id];
            if records != attempt.size {
                return Err(format!("attempt {id} is torn: {records} of {}", attempt.size));
            }
            if let Some(other) = by_key.insert(attempt.key, id) {
                return Err(format!("key {} is visible twice: {other} and {id}", attempt.key));
            }
        }
        for (id, receipt) in &self.told {
            let attempt = &self.attempts[*id];
            let visible = by_key.get(&attempt.key);
            if visible != Some(receipt) {
                return Err(format!("{} was told {receipt}, visible is {visible:?}", attempt.key));
            }
            if self.attempts[*receipt].body != attempt.body {
                return Err(format!("attempt {id} was acknowledged a body that was never published"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_promise_is_kept(seed in any::<u64>()) {
        let (outcome, _) = Round::run(seed, None);
        prop_assert!(outcome.is_ok(), "seed {}: {}", seed, outcome.unwrap_err());
    }
}

#[test]
fn every_misfortune_happens() {
    let mut happened: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..30 {
        Round::run(seed, None).1.into_iter().for_each(|(what, n)| *happened.entry(what).or_default() += n);
    }
    let all = "acknowledged|dead|died|died before the answer|false report|outcome unknown|paused|refused|replayed|\
               resumed|unheard";
    assert_eq!(happened.keys().copied().collect::<Vec<_>>().join("|"), all, "{happened:?}");
}

#[test]
fn no_rule_can_be_left_out() {
    for rule in RULES {
        let broken = (0..2_000).find_map(|seed| Round::run(seed, Some(rule)).0.err());
        println!("{rule:?}: {broken:?}");
        assert!(broken.is_some(), "nothing broke without the rule {rule:?}");
    }
}
