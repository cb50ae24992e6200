"""Avro records through Kafka with the ids of the registry: python kafka.py URL USER:PASSWORD BROKERS TOPIC COUNT.

On a topic of its own it writes and reads, as Confluent's serializers do it, with the id before the datum and with the
guid in a header. Of TOPIC, a resource's, it reads COUNT records and prints each as a line of JSON."""

import json
import sys
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

URL, USER, BROKERS, TOPIC, COUNT = sys.argv[1:]
SCHEMA = json.dumps({
    "type": "record",
    "name": "Observation",
    "fields": [{"name": "station", "type": "string"}, {"name": "temp", "type": ["null", "double"]}],
})


def registry():
    return SchemaRegistryClient({"url": URL, "basic.auth.user.info": USER, "max.retries": 0})


def read(topic, count):
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": str(uuid.uuid4()), "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    deserializer = AvroDeserializer(registry())
    messages = []
    while len(messages) < count:
        message = consumer.poll(30)
        assert message is not None, f"{len(messages)} of {count} records came"
        assert message.error() is None, message.error()
        messages.append(message)
    consumer.close()

    def said(message, what, field):
        return deserializer(what, SerializationContext(topic, field, message.headers())) if what else None

    return [
        (said(message, message.key(), MessageField.KEY), said(message, message.value(), MessageField.VALUE))
        for message in messages
    ]


def write(topic, records):
    plain = AvroSerializer(registry(), SCHEMA)
    by_header = AvroSerializer(registry(), SCHEMA, conf={"schema.id.serializer": header_schema_id_serializer})
    producer = Producer({"bootstrap.servers": BROKERS})
    for serializer, record in zip([plain, by_header] * len(records), records):
        headers = []
        context = SerializationContext(topic, MessageField.VALUE, headers)
        producer.produce(topic, serializer(record, context), headers=headers)
    assert producer.flush(30) == 0


def on_a_topic_of_its_own():
    topic = f"free.{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": BROKERS})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    try:
        records = [{"station": f"station {n}", "temp": None if n % 3 == 0 else n / 2} for n in range(10)]
        write(topic, records)
        assert [value for _, value in read(topic, len(records))] == records
    finally:
        admin.delete_topics([topic])[topic].result(30)


on_a_topic_of_its_own()
for key, value in read(TOPIC, int(COUNT)):
    print(json.dumps({"key": key, "value": value}, default=str, ensure_ascii=False))
