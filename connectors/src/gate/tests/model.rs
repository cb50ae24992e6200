//! Many publishers and one settling job under random faults: what was acknowledged is delivered once, what was
//! refused for good never, and no batch is torn (I4, I5).

use std::collections::BTreeMap;
use std::time::Duration;

use changtong_catalog::error::Code;
use proptest::prelude::*;

use super::log::LogFault;
use super::store::StoreFault;
use super::world::{SUBSCRIPTION, World};

#[derive(Debug, Clone)]
enum Step {
    /// So many publishes at once, of so many records each.
    Publish(Vec<u8>),
    Store(StoreFault),
    Log(LogFault),
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let store = prop_oneof![Just(StoreFault::NotSent), Just(StoreFault::Unheard), Just(StoreFault::Lost)];
    let log = prop_oneof![(0_usize..6).prop_map(LogFault::Breaks), Just(LogFault::Misreports)];
    prop_oneof![
        5 => prop::collection::vec(1_u8..9, 1..5).prop_map(Step::Publish),
        2 => store.prop_map(Step::Store),
        1 => log.prop_map(Step::Log),
        2 => (1_u8..9).prop_map(Step::Pass),
    ]
}

async fn play(steps: Vec<Step>) {
    let world = World::with(|settings, _| settings.outcome_deadline = Duration::from_millis(20));
    let mut batches: Vec<(i64, i64, Option<Code>)> = Vec::new();
    let mut next_id = 0;
    for step in steps {
        match step {
            Step::Store(fault) => world.store.faults.lock().push_back(fault),
            Step::Log(fault) => world.log.faults.lock().push_back(fault),
            Step::Pass(seconds) => {
                for _ in 0..seconds {
                    world.clock.advance(Duration::from_secs(1));
                    world.gate.tick().await.unwrap();
                }
            }
            Step::Publish(sizes) => {
                let asks = sizes.iter().map(|size| {
                    let ids = next_id..next_id + i64::from(*size);
                    next_id = ids.end;
                    (ids.start, ids.end, world.ask(&super::world::lines(ids)))
                });
                let asks: Vec<_> = asks.collect();
                let publish = asks.into_iter().map(async |(start, end, ask)| {
                    (start, end, world.gate.publish(ask).await.err().map(|refusal| refusal.code))
                });
                batches.extend(futures::future::join_all(publish).await);
            }
        }
    }
    world.store.faults.lock().clear();
    world.log.faults.lock().clear();
    let last = next_id..next_id + 1;
    world.rows(last.clone()).await.unwrap();
    batches.push((last.start, last.end, None));
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(1));
        world.gate.tick().await.unwrap();
    }
    world.subscribe(SUBSCRIPTION);
    let answer = world.read(None).await.unwrap();
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    for record in &answer.records {
        *seen.entry(record["record"]["id"].as_i64().unwrap()).or_default() += 1;
    }
    for (start, end, refused) in batches {
        let there: Vec<usize> = (start..end).map(|id| seen.get(&id).copied().unwrap_or(0)).collect();
        let whole = there.iter().all(|n| *n == 1);
        let absent = there.iter().all(|n| *n == 0);
        match refused {
            None => assert!(whole, "acknowledged {start}..{end}: {there:?}"),
            Some(Code::OutcomeUnknown) => assert!(whole || absent, "unknown {start}..{end}: {there:?}"),
            Some(code) => assert!(absent, "{code} {start}..{end}: {there:?}"),
        }
    }
    let views = world.store.state.lock().views.clone();
    let ends: Vec<i64> = views.values().flatten().map(|view| view.settled).collect();
    assert_eq!(ends, world.log.ends(&world.topic()), "readers are never stuck");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_promise_is_kept(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
