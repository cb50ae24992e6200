//! What fault tests do to a cluster behind the bus: a topic deleted, made anew, cut at its front, written to by a
//! stranger. In a build without the feature `faults` there is nothing of it.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(30);

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

fn admin(brokers: &str) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    config(brokers).create()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

pub async fn delete_topic(brokers: &str, name: &str) -> Result<(), KafkaError> {
    let deleted = admin(brokers)?.delete_topics(&[name], &options()).await?;
    deleted.into_iter().try_for_each(|one| one.map(drop).map_err(|(_, code)| KafkaError::AdminOp(code)))
}

/// One that stamps its records as the bus's topics do.
pub async fn make_topic(brokers: &str, name: &str, partitions: i32) -> Result<(), KafkaError> {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topic = topic.set("message.timestamp.type", "LogAppendTime");
    let made = admin(brokers)?.create_topics([&topic], &options()).await?;
    made.into_iter().try_for_each(|one| one.map(drop).map_err(|(_, code)| KafkaError::AdminOp(code)))
}

/// Deletes the records of a partition before an offset.
pub async fn cut_front(brokers: &str, name: &str, partition: i32, first: i64) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(name, partition, Offset::Offset(first))?;
    admin(brokers)?.delete_records(&list, &options()).await.map(drop)
}

/// Records that are none of the bus's, spread over the partitions.
pub async fn write(brokers: &str, name: &str, records: usize) -> Result<(), KafkaError> {
    let producer: BaseProducer = config(brokers).create()?;
    for number in 0..records {
        let (key, value) = (number.to_string(), format!("stranger {number}"));
        producer.send(BaseRecord::to(name).key(&key).payload(&value)).map_err(|(error, _)| error)?;
    }
    let flushed = tokio::task::spawn_blocking(move || producer.flush(PATIENCE)).await;
    flushed.unwrap_or(Err(KafkaError::Canceled))
}
