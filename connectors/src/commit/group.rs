//! One group: its members with the places where their answers go.

use changtong_catalog::error::{Code, Refusal};
use changtong_catalog::ids::WindowId;
use changtong_catalog::ports::{
    Ack, Answers, Attempt, CloseReason, Closing, DeadRuns, Group, Opened, Opening, Receipt, Seek, Settling,
    Topic,
};
use tokio::sync::oneshot;

use super::expected::Expected;
use super::views::Partitions;
use super::{Done, TopicKey};

type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// What is asked of the committer.
pub(super) enum Member {
    Attempt(Box<Attempt>, Answer<Receipt>, Expected),
    Open(Box<Opening>, Answer<Opened>, Done),
    Ack(Box<Ack>, Answer<()>),
    Seek(Box<Seek>, Answer<i32>),
    /// Not part of a group: done before it, in order.
    Load(Topic, Answer<Partitions>),
    Settle(Settling, Answer<Partitions>),
}

/// The most members of one transaction besides its attempts.
const MOST_OTHERS: usize = 1024;

/// A group on its way and those who wait for it.
#[derive(Default)]
pub(super) struct Pending {
    pub group: Group,
    attempts: Vec<Answer<Receipt>>,
    openings: Vec<Answer<Opened>>,
    /// Of each opening, what is done once one that nobody heard of is closed.
    unheard: Vec<Done>,
    acks: Vec<Answer<()>>,
    seeks: Vec<Answer<i32>>,
    closings: Vec<Done>,
}

impl Pending {
    /// Takes a member; gives back what is no part of a group.
    pub fn add(&mut self, member: Member) -> Option<Member> {
        match member {
            Member::Attempt(attempt, answer, _here) => {
                self.group.attempts.push(*attempt);
                self.attempts.push(answer);
            }
            Member::Open(opening, answer, unheard) => {
                self.group.openings.push(*opening);
                self.openings.push(answer);
                self.unheard.push(unheard);
            }
            Member::Ack(ack, answer) => {
                self.group.acks.push(*ack);
                self.acks.push(answer);
            }
            Member::Seek(seek, answer) => {
                self.group.seeks.push(*seek);
                self.seeks.push(answer);
            }
            chore @ (Member::Load(..) | Member::Settle(..)) => return Some(chore),
        }
        None
    }

    pub fn close(&mut self, closing: Closing, done: Done) {
        self.group.closings.push(closing);
        self.closings.push(done);
    }

    pub fn dead(&mut self, dead: DeadRuns) {
        self.group.dead.push(dead);
    }

    pub fn attempts(&self) -> usize {
        self.group.attempts.len()
    }

    pub fn is_full(&self, most_attempts: usize) -> bool {
        let group = &self.group;
        let others = group.openings.len() + group.acks.len() + group.seeks.len();
        self.attempts() >= most_attempts || others + group.closings.len() + group.dead.len() >= MOST_OTHERS
    }

    pub fn is_empty(&self) -> bool {
        let group = &self.group;
        self.attempts() == 0
            && group.openings.is_empty()
            && group.acks.is_empty()
            && group.seeks.is_empty()
            && group.closings.is_empty()
            && group.dead.is_empty()
    }

    /// Topics whose views the group may change.
    pub fn topics(&self) -> Vec<TopicKey> {
        let attempts = self.group.attempts.iter().map(|attempt| (attempt.resource, attempt.generation));
        let dead = self.group.dead.iter().map(|dead| (dead.resource, dead.generation));
        let mut topics: Vec<_> = attempts.chain(dead).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// Hands everybody the store's answer.
    pub fn answer(self, answers: Answers) {
        give(self.attempts, answers.attempts);
        give(self.openings, answers.openings);
        give(self.acks, answers.acks);
        give(self.seeks, answers.seeks);
        self.closings.into_iter().for_each(|done| done());
    }

    /// Hands everybody the same refusal, and gives back what rides on: closings, dead runs, and of attempts that
    /// certainly died their true offsets.
    pub fn refuse(self, refusal: &Refusal) -> (Vec<(Closing, Done)>, Vec<DeadRuns>) {
        let Group { attempts, closings, mut dead, .. } = self.group;
        dead.extend(attempts.into_iter().filter(|attempt| !attempt.runs.is_empty()).map(|attempt| {
            DeadRuns { resource: attempt.resource, generation: attempt.generation, runs: attempt.runs }
        }));
        all(self.attempts, refusal);
        all(self.openings, refusal);
        all(self.acks, refusal);
        all(self.seeks, refusal);
        (closings.into_iter().zip(self.closings).collect(), dead)
    }

    /// After a COMMIT whose answer is missing: attempts get theirs from `outcomes`; nobody knows of the others. Given
    /// back are the closings, which are closed again, and closings for windows that may have been opened; never a
    /// dead run, as nothing is recorded of what nobody knows.
    pub fn undecided(
        self,
        outcomes: Vec<Result<Receipt, Refusal>>,
        refusal: &Refusal,
    ) -> Vec<(Closing, Done)> {
        give(self.attempts, outcomes);
        all(self.openings, refusal);
        all(self.acks, refusal);
        all(self.seeks, refusal);
        let unopened = self.group.openings.iter().map(|opening| unused(opening.window, &opening.from));
        let unopened = unopened.zip(self.unheard);
        let closings = self.group.closings.into_iter().zip(self.closings);
        closings.chain(unopened).collect()
    }
}

/// The closing of a window that let nothing out.
fn unused(window: WindowId, from: &[i64]) -> Closing {
    Closing {
        window,
        reason: CloseReason::Reader,
        through: from.to_vec(),
        let_out: from.to_vec(),
        sent: 0,
        passed_over: 0,
        bytes: 0,
        digest: crate::gate::empty_digest(),
        further_calls: 0,
    }
}

fn give<T>(waiting: Vec<Answer<T>>, answers: Vec<Result<T, Refusal>>) {
    let mut answers = answers.into_iter();
    for answer in waiting {
        // One who no longer waits has left; its answer stands in the store.
        let _ = answer.send(answers.next().unwrap_or_else(|| Err(no_answer())));
    }
}

fn all<T>(waiting: Vec<Answer<T>>, refusal: &Refusal) {
    for answer in waiting {
        let _ = answer.send(Err(refusal.clone()));
    }
}

fn no_answer() -> Refusal {
    Refusal::new(
        Code::Internal,
        "数据库对本次提交的回答不完整",
        "the store's answer to the group commit is incomplete",
    )
}
