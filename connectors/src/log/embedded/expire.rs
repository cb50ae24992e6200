//! Retention by age: whole rows go once their append time is past the topic's retention.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::state::{PartitionState, Topics};
use super::trouble::Trouble;

/// Rows deleted in one transaction, so that appends wait shortly only.
const STEP: i64 = 500;

pub(super) async fn all(
    connection: &mut SqliteConnection,
    topics: &Topics,
    now_ms: i64,
) -> Result<u64, Trouble> {
    let limited: Vec<_> = topics
        .read()
        .iter()
        .filter_map(|(name, topic)| Some((name.clone(), topic.clone(), now_ms - topic.retention_ms?)))
        .collect();
    let mut removed = 0;
    for (name, topic, before_ms) in limited {
        for (number, mut partition) in topic.partitions.into_iter().enumerate() {
            let number_sql = number as i64;
            while let Some(first) = step(connection, topic.id, number_sql, partition, before_ms).await? {
                removed += u64::try_from(first - partition.first).unwrap_or(0);
                partition.first = first;
                if let Some(known) = topics.write().get_mut(&name).and_then(|t| t.partitions.get_mut(number))
                {
                    known.first = first;
                }
            }
        }
    }
    Ok(removed)
}

/// Deletes some of the oldest rows; answers the first offset then kept, `None` if nothing was old enough.
async fn step(
    connection: &mut SqliteConnection,
    topic: i64,
    partition: i64,
    state: PartitionState,
    before_ms: i64,
) -> Result<Option<i64>, Trouble> {
    let last: Option<i64> = sqlx::query_scalar(
        "select max(last) from (select last from batch
         where topic = $1 and partition = $2 and appended_ms < $3 order by appended_ms, first limit $4)",
    )
    .bind(topic)
    .bind(partition)
    .bind(before_ms)
    .bind(STEP)
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = last else { return Ok(None) };
    let mut tx = connection.begin_with("begin immediate").await?;
    sqlx::query(
        "insert into cleared (topic, partition, first, last_ms) values ($1, $2, $3, $4)
         on conflict (topic, partition) do update set first = excluded.first, last_ms = excluded.last_ms",
    )
    .bind(topic)
    .bind(partition)
    .bind(last + 1)
    .bind(state.last_ms)
    .execute(&mut *tx)
    .await?;
    sqlx::query("delete from batch where topic = $1 and partition = $2 and last <= $3")
        .bind(topic)
        .bind(partition)
        .bind(last)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(last + 1))
}
