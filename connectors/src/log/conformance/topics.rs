//! Topics: whose they are, what is known of them.

use changtong_catalog::error::Code;

use super::{DEADLINE, Engine, HOUR, append, entry, make, range, steward, topic_of};
use crate::log::{Extent, TopicSpec};

pub(crate) async fn a_topic_is_made_once<E: Engine>(engine: E) {
    let log = engine.log();
    let name = make(&engine, 1, 3).await;
    let spec = TopicSpec { name: name.clone(), partitions: 3, retention: None };
    assert_eq!(log.make_topic(&spec, false).await.unwrap_err().code, Code::TopicExists);
    let extents = log.extents(std::slice::from_ref(&name)).await.unwrap();
    assert_eq!(extents[&name], [Extent { first: 0, end: 0 }; 3]);
    engine.stop().await;
}

pub(crate) async fn a_wanted_empty_topic_of_the_shape_is_ours<E: Engine>(engine: E) {
    let log = engine.log();
    let name = make(&engine, 1, 2).await;
    let spec = |partitions, retention| TopicSpec { name: name.clone(), partitions, retention };
    assert_eq!(log.make_topic(&spec(2, None), true).await, Ok(()));
    for other in [spec(3, None), spec(2, Some(HOUR))] {
        assert_eq!(log.make_topic(&other, true).await.unwrap_err().code, Code::TopicExists);
    }
    append(&*log, &name, vec![entry(1, "k", "v")]).await.unwrap();
    assert_eq!(log.make_topic(&spec(2, None), true).await.unwrap_err().code, Code::TopicExists);
    // One wanted and not there yet is made.
    let next = TopicSpec { name: topic_of(&engine, 2), partitions: 1, retention: Some(HOUR) };
    assert_eq!(log.make_topic(&next, true).await, Ok(()));
    assert_eq!(log.make_topic(&next, true).await, Ok(()));
    engine.stop().await;
}

pub(crate) async fn what_is_not_there_is_left_out_or_refused<E: Engine>(engine: E) {
    let log = engine.log();
    let (here, gone) = (make(&engine, 1, 1).await, topic_of(&engine, 2));
    append(&*log, &here, vec![entry(0, "k", "v")]).await.unwrap();
    let extents = log.extents(&[gone.clone(), here.clone()]).await.unwrap();
    assert_eq!(log.widest(&gone).await, Ok(Vec::new()));
    assert_eq!(extents.into_iter().collect::<Vec<_>>(), [(here, vec![Extent { first: 0, end: 1 }])]);
    let refused = append(&*log, &gone, vec![entry(0, "k", "v")]).await.unwrap_err();
    assert_eq!((refused.refusal.code, refused.landed), (Code::BrokerUnavailable, Vec::new()));
    let refused = log.read(steward(&gone, 1), &[range(0, 0, 1)], 100).await.unwrap_err();
    assert_eq!(refused.code, Code::BrokerUnavailable);
    let refused = log.offsets_at(&gone, chrono::DateTime::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(refused.code, Code::BrokerUnavailable);
    assert_eq!(log.extents(&[]).await, Ok([].into()));
    engine.stop().await;
}

/// Before the first topic is made as well.
pub(crate) async fn it_answers_until_it_is_closed<E: Engine>(engine: E) {
    let log = engine.log();
    assert_eq!(log.answers().await, Ok(()));
    make(&engine, 1, 1).await;
    assert_eq!(log.answers().await, Ok(()));
    log.close(DEADLINE).await;
    assert_eq!(log.answers().await.unwrap_err().code, Code::ShuttingDown);
    engine.stop().await;
}

pub(crate) async fn after_closing_nothing_is_taken<E: Engine>(engine: E) {
    let log = engine.log();
    let name = make(&engine, 1, 1).await;
    append(&*log, &name, vec![entry(0, "k", "v")]).await.unwrap();
    log.close(DEADLINE).await;
    let refused = append(&*log, &name, vec![entry(0, "k", "v")]).await.unwrap_err();
    assert_eq!((refused.refusal.code, refused.landed), (Code::ShuttingDown, Vec::new()));
    let refused = log.read(steward(&name, 1), &[range(0, 0, 1)], 100).await.unwrap_err();
    assert_eq!(refused.code, Code::ShuttingDown);
    log.close(DEADLINE).await;
    engine.stop().await;
}
