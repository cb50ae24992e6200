//! The settling job (protocol.md 4): holes older than `settle_after` become dead, the settled mark moves over what is
//! covered, a log that lost records is found out; and what the start of the only server does with what it finds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use changtong_catalog::error::Refusal;
use changtong_catalog::ids::TopicName;
use changtong_catalog::ports::{Settling, Topic};
use changtong_catalog::visibility::{PartitionView, Verdict};

use super::Gate;
use super::doubt::ends_below;
use crate::commit::{Partitions, TopicKey, key_of};
use crate::events::{HolesFound, StoreFoundOlder};
use crate::log::Extent;

/// Two answers this far apart below what is known mean that the log rolled back, if no broker knows better.
pub(super) const ROLLED_BACK_AFTER: Duration = Duration::from_secs(5);

/// How often topics that nobody appends to are looked at: what happened to them behind the bus.
const LOOK_AT_ALL: Duration = Duration::from_secs(60);

/// How often every broker is asked whether records are gone for good, of one topic at a time.
const FORGET: Duration = Duration::from_secs(10);

/// How long after a start a COMMIT of the server before may still take effect: its session's deadlines and some.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// What the job remembers between two seconds.
#[derive(Default)]
pub(super) struct Settler {
    watched: HashMap<TopicKey, Watched>,
    /// When all topics are looked at next, those included that nobody appends to.
    look_at_all_at: Duration,
    forgets: Forgets,
    /// When it is looked for windows that the server before opened by its last COMMIT.
    look_again_at: Option<Duration>,
}

/// Of which topic dead runs may be forgotten.
#[derive(Default)]
struct Forgets {
    /// When one may ask for it next.
    at: Duration,
    /// Which one asked last: the others come before it.
    last: Option<TopicKey>,
}

impl Forgets {
    fn in_turn(&self, mut topics: Vec<Topic>) -> Vec<Topic> {
        topics.sort_unstable_by_key(key_of);
        let next = topics.partition_point(|topic| Some(key_of(topic)) <= self.last);
        topics.rotate_left(next);
        topics
    }
}

struct Watched {
    topic: Topic,
    /// The log's ends, noted each second, the oldest first.
    notes: VecDeque<(Duration, Vec<i64>)>,
    /// Since when the log has ended below what is known.
    below_since: Option<Duration>,
    /// What was known when the store was last asked whether it still knows it.
    compared: Vec<i64>,
}

impl Settler {
    /// Another generation is in force: what this one's log holds or lacks concerns nobody who publishes.
    pub(super) fn forget(&mut self, key: TopicKey) {
        self.watched.remove(&key);
    }
}

impl Watched {
    fn new(topic: Topic) -> Self {
        Self { topic, notes: VecDeque::new(), below_since: None, compared: Vec::new() }
    }

    /// Notes the ends, and answers those noted at least `age` ago.
    fn note(&mut self, now: Duration, ends: Vec<i64>, age: Duration) -> Vec<i64> {
        let none = vec![0; ends.len()];
        self.notes.push_back((now, ends));
        let old = |at: &Duration| now.saturating_sub(*at) >= age;
        while self.notes.get(1).is_some_and(|(at, _)| old(at)) {
            self.notes.pop_front();
        }
        self.notes.front().filter(|(at, _)| old(at)).map_or(none, |(_, ends)| ends.clone())
    }
}

impl Gate {
    /// Once at the start of the only server: closes the windows left open and settles holes at once, unless the store
    /// turns out to be older than the log (then publishing and delivery answer `store_older_than_log`).
    pub async fn recover(&self) -> Result<(), Refusal> {
        self.alive.check()?;
        let topics = self.directory.topics().await?;
        let mut views = HashMap::with_capacity(topics.len());
        for topic in &topics {
            views.insert(key_of(topic), self.committer.load(topic).await?);
        }
        if let Some(marks) = &self.marks
            && marks.is_store_older(views.iter().map(|(key, views)| (*key, &**views))).await?
        {
            self.committer.views().found_older();
            StoreFoundOlder.emit(&self.metrics);
            return Ok(());
        }
        if let Some(marks) = &self.marks {
            self.replaced.begin(marks.looks());
        }
        self.close_left_open().await?;
        let extents = self.extents(&topics).await?;
        let mut settler = self.settler.lock().await;
        settler.look_again_at = Some(self.clock.monotonic() + LAST_COMMIT);
        settler.look_at_all_at = self.clock.monotonic() + LOOK_AT_ALL;
        for topic in in_force(topics) {
            // One whose log does not answer now may have holes too: it is watched from the first second on.
            settler.watched.insert(key_of(&topic), Watched::new(topic.clone()));
            let (Some(extents), Some(views)) = (extents.get(&topic.name), views.get(&key_of(&topic))) else {
                continue;
            };
            if !ends_below(extents, views) {
                let ends = extents.iter().map(|extent| extent.end).collect();
                self.settle_topic(&topic, views, vec![0; views.len()], ends, false).await?;
            }
        }
        Ok(())
    }

    /// Every second: settles, notes the marks, ends whom nobody told. What fails is tried again the next second.
    pub async fn tick(&self) -> Result<(), Refusal> {
        self.limiter.sweep();
        self.tail.sweep();
        self.windows.pace.sweep(tokio::time::Instant::now());
        self.metrics.bytes_in_flight.set(i64::try_from(self.budget.held()).unwrap_or(i64::MAX));
        let told = self.end_fallen().await;
        self.settle_all().await.and(told)
    }

    async fn settle_all(&self) -> Result<(), Refusal> {
        self.alive.check()?;
        if !self.is_store_older() {
            self.settle_watched_topics().await?;
        }
        self.note_marks().await
    }

    async fn settle_watched_topics(&self) -> Result<(), Refusal> {
        let mut settler = self.settler.lock().await;
        let settler = &mut *settler;
        let now = self.clock.monotonic();
        if settler.look_again_at.is_some_and(|at| at <= now) {
            self.close_left_open().await?;
            settler.look_again_at = None;
        }
        let lately = now.saturating_sub(2 * self.settings.settle_after + ROLLED_BACK_AFTER);
        for topic in self.topics.touched_since(lately) {
            settler.watched.entry(key_of(&topic)).or_insert_with(|| Watched::new(topic));
        }
        if settler.look_at_all_at <= now {
            for topic in in_force(self.directory.topics().await?) {
                settler.watched.entry(key_of(&topic)).or_insert_with(|| Watched::new(topic));
            }
            settler.look_at_all_at = now + LOOK_AT_ALL;
        }
        let topics = settler.watched.values().map(|watched| watched.topic.clone()).collect();
        let topics = settler.forgets.in_turn(topics);
        // Before the log is asked: what it ends below afterwards, it has lost.
        let mut views = HashMap::new();
        for topic in &topics {
            views.insert(key_of(topic), self.committer.load(topic).await?);
        }
        let extents = self.extents(&topics).await?;
        let mut first_failure = Ok(());
        for topic in &topics {
            let (key, Some(extents)) = (key_of(topic), extents.get(&topic.name)) else { continue };
            let (Some(views), Some(watched)) = (views.get(&key), settler.watched.get_mut(&key)) else {
                continue;
            };
            let settled = self.settle_watched(watched, views, extents, &mut settler.forgets).await;
            if let Ok(true) = settled {
                settler.watched.remove(&key);
            }
            first_failure = first_failure.and(settled.map(|_| ()));
        }
        first_failure
    }

    /// One topic's second. `true`: nothing is left to watch.
    async fn settle_watched(
        &self,
        watched: &mut Watched,
        views: &Partitions,
        extents: &[Extent],
        forgets: &mut Forgets,
    ) -> Result<bool, Refusal> {
        let now = self.clock.monotonic();
        if ends_below(extents, views) {
            let since = *watched.below_since.get_or_insert(now);
            if now.saturating_sub(since) >= ROLLED_BACK_AFTER {
                // Should too few say anything now, they are asked again as late.
                watched.below_since = None;
                if ends_below(&self.log.widest(&watched.topic.name).await?, views) {
                    self.stop_rolled_back(&watched.topic).await?;
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        watched.below_since = None;
        let ends: Vec<i64> = extents.iter().map(|extent| extent.end).collect();
        let noted = watched.note(now, ends.clone(), self.settings.settle_after);
        let topic = watched.topic.clone();
        let first_kept = self.gone_before(&topic, views, extents, forgets).await;
        let known: Vec<i64> = views.iter().map(PartitionView::known_end).collect();
        let compares = known != watched.compared;
        let settled = self.settle_topic(&topic, views, first_kept, noted, compares).await?;
        watched.compared = known;
        let all = settled.iter().zip(&ends).all(|(view, end)| view.settled >= *end);
        let lately = now.saturating_sub(self.settings.settle_after);
        Ok(all && !self.topics.was_touched_since(key_of(&topic), lately))
    }

    /// Before which offsets dead runs may be forgotten. What they hide would count again, so no broker may have it any
    /// more, whatever the one says that was asked.
    async fn gone_before(
        &self,
        topic: &Topic,
        views: &[PartitionView],
        extents: &[Extent],
        forgets: &mut Forgets,
    ) -> Vec<i64> {
        let now = self.clock.monotonic();
        let any_dead = |(view, extent): (&PartitionView, &Extent)| {
            let mut before = view.runs.iter().take_while(|run| run.last < extent.first);
            before.any(|run| run.verdict == Verdict::Dead)
        };
        let mut first_kept = Vec::new();
        if forgets.at <= now && views.iter().zip(extents).any(any_dead) {
            *forgets = Forgets { at: now + FORGET, last: Some(key_of(topic)) };
            // Where too few answer nothing is forgotten, and the topic is settled all the same.
            let widest = self.log.widest(&topic.name).await.unwrap_or_default();
            first_kept.extend(widest.iter().map(|extent| extent.first));
        }
        first_kept.resize(views.len(), 0);
        first_kept
    }

    /// Settles up to the noted ends, if that changes anything, or if the store is to be `compared` with what is known.
    async fn settle_topic(
        &self,
        topic: &Topic,
        views: &Partitions,
        first_kept: Vec<i64>,
        noted_ends: Vec<i64>,
        compared: bool,
    ) -> Result<Partitions, Refusal> {
        let mut holes = 0;
        let mut idle = !compared;
        for ((view, noted), first) in views.iter().zip(&noted_ends).zip(&first_kept) {
            if let Some(change) = view.settle(*noted, *first) {
                idle = false;
                holes +=
                    change.holes.iter().map(|hole| (hole.last - hole.first + 1).unsigned_abs()).sum::<u64>();
            }
        }
        if idle {
            return Ok(views.clone());
        }
        let settling = Settling { topic: topic.clone(), noted_ends, first_kept };
        let settled = self.committer.settle(settling).await?;
        if holes > 0 {
            HolesFound { topic: topic.name.clone(), offsets: holes }.emit(&self.metrics);
        }
        Ok(settled)
    }

    pub(super) async fn extents(
        &self,
        topics: &[Topic],
    ) -> Result<BTreeMap<TopicName, Vec<Extent>>, Refusal> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<TopicName> = topics.iter().map(|topic| topic.name.clone()).collect();
        let mut extents = self.log.extents(&names).await?;
        for topic in topics {
            if extents.contains_key(&topic.name) {
                continue;
            }
            match self.log.has_topic(&topic.name).await {
                Ok(true) => {}
                // A log that says there is no such topic has lost all of it.
                Ok(false) => {
                    let partitions = usize::try_from(topic.partitions).unwrap_or(0);
                    extents.insert(topic.name.clone(), vec![Extent { first: 0, end: 0 }; partitions]);
                }
                // One that does not answer is not asked for each of them: each question takes its whole time.
                Err(_) => break,
            }
        }
        Ok(extents)
    }

    async fn note_marks(&self) -> Result<(), Refusal> {
        let Some(marks) = &self.marks else { return Ok(()) };
        // Of a generation that is over the views are not the store's; what was noted of it stays.
        let mut views = self.committer.views().all();
        views.retain(|(key, _)| !self.past.is_over(*key));
        let views = views.iter().map(|(key, views)| (*key, &**views));
        if self.is_store_older() {
            return marks.keep_counted(views).await;
        }
        marks.write(views, self.replaced.noted()).await
    }
}

/// Of each resource the last of its generations, which is the one in force.
pub(super) fn in_force(topics: Vec<Topic>) -> impl Iterator<Item = Topic> {
    let last: BTreeMap<_, _> = topics.into_iter().map(|topic| (topic.resource, topic)).collect();
    last.into_values()
}

#[cfg(test)]
mod tests {
    use changtong_catalog::ids::{Generation, ResourceNumber};

    use super::*;

    /// Whether or not its broker goes on naming what others still keep.
    #[test]
    fn which_topic_asked_last_asks_behind_all_others() {
        let topic = |number| {
            let (resource, generation) = (ResourceNumber(number), Generation(1));
            let name = TopicName::records("", resource, generation);
            Topic { resource, generation, name, partitions: 1, made: true }
        };
        let mut forgets = Forgets::default();
        let mut asked = Vec::new();
        for _ in 0..7 {
            let first = forgets.in_turn([3, 1, 2].map(topic).to_vec()).swap_remove(0);
            asked.push(first.resource.0);
            forgets.last = Some(key_of(&first));
        }
        assert_eq!(asked, [1, 2, 3, 1, 2, 3, 1]);
    }
}
