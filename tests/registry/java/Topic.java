// Reads a topic as any Java program could: by the id before each datum it asks the registry for the schema over plain
// HTTP, and Apache Avro decodes. java Topic.java URL USER:PASSWORD BROKERS TOPIC COUNT prints each record as a line of
// JSON.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Topic {
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final GenericData DATA = new GenericData();
  private static final Map<Integer, Schema> KNOWN = new HashMap<>();

  public static void main(String[] args) throws Exception {
    DATA.addLogicalTypeConversion(new Conversions.DecimalConversion());
    for (ConsumerRecord<byte[], byte[]> message : read(args[2], args[3], Integer.parseInt(args[4]))) {
      Map<String, Object> line = new HashMap<>();
      line.put("key", record(args, message.key()));
      line.put("value", record(args, message.value()));
      System.out.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
    }
    System.out.flush();
  }

  private static List<ConsumerRecord<byte[], byte[]>> read(String brokers, String topic, int count) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    List<ConsumerRecord<byte[], byte[]>> messages = new ArrayList<>();
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(consumer.partitionsFor(topic).stream().map(of -> new TopicPartition(topic, of.partition())).toList());
      consumer.seekToBeginning(consumer.assignment());
      while (messages.size() < count) {
        var some = consumer.poll(Duration.ofSeconds(30));
        if (some.isEmpty()) throw new IllegalStateException(messages.size() + " of " + count + " records came");
        some.forEach(messages::add);
      }
    }
    return messages;
  }

  private static Map<String, String> record(String[] args, byte[] framed) throws Exception {
    if (framed == null) return null;
    ByteBuffer bytes = ByteBuffer.wrap(framed);
    if (bytes.get() != 0) throw new IllegalStateException("no prefix");
    int id = bytes.getInt();
    Schema schema = KNOWN.containsKey(id) ? KNOWN.get(id) : schema(args, id);
    KNOWN.put(id, schema);
    var decoder = DecoderFactory.get().binaryDecoder(framed, 5, framed.length - 5, null);
    GenericRecord record = new GenericDatumReader<GenericRecord>(schema, schema, DATA).read(null, decoder);
    Map<String, String> members = new HashMap<>();
    for (Schema.Field field : schema.getFields()) {
      Object value = record.get(field.pos());
      members.put(field.name(), value == null ? null : value.toString());
    }
    return members;
  }

  private static Schema schema(String[] args, int id) throws Exception {
    String credentials = Base64.getEncoder().encodeToString(args[1].getBytes(StandardCharsets.UTF_8));
    HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + "/schemas/ids/" + id))
        .header("Accept", "application/json").header("Authorization", "Basic " + credentials).build();
    HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) throw new IllegalStateException(answer.body());
    return new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText());
  }
}
