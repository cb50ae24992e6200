//! Making a topic.

use sqlx::sqlite::SqliteConnection;

use super::state::{PartitionState, TopicState, Topics};
use super::trouble::Trouble;
use crate::log::{TopicSpec, refusals};

pub(super) async fn make(
    connection: &mut SqliteConnection,
    topics: &Topics,
    spec: &TopicSpec,
    wanted_before: bool,
) -> Result<(), Trouble> {
    let retention_ms = spec.retention.map(|kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
    let count = usize::try_from(spec.partitions).unwrap_or(0);
    if let Some(found) = topics.read().get(spec.name.as_str()) {
        let empty = found.partitions.iter().all(|partition| partition.end == 0);
        let same = found.partitions.len() == count && found.retention_ms == retention_ms;
        return if wanted_before && empty && same {
            Ok(())
        } else {
            Err(refusals::topic_exists(&spec.name).into())
        };
    }
    let id: i64 = sqlx::query_scalar(
        "insert into topic (name, partitions, retention_ms) values ($1, $2, $3) returning id",
    )
    .bind(spec.name.as_str())
    .bind(spec.partitions)
    .bind(retention_ms)
    .fetch_one(connection)
    .await?;
    let partitions = vec![PartitionState { first: 0, end: 0, last_ms: 0 }; count];
    topics.write().insert(spec.name.as_str().to_owned(), TopicState { id, retention_ms, partitions });
    Ok(())
}
