import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/**
 * Records as Java's Avro writes them: for each of COUNT lists of items one line with the items, records as a publisher
 * writes them in JSON, the bytes of each datum, and a container file of them all.
 *
 * <pre>
 * java Values COUNT SEED
 * </pre>
 */
public final class Values {
  static final ObjectMapper MAPPER = new ObjectMapper();
  static final int RECORDS = 8;
  private static final String[] KINDS = {"C", "N", "Y", "D", "T", "L", "M", "G", "B", "I", "F"};
  private static final String[] LETTERS = {"a", "Z", "0", " ", "\"", "\\", "\n", "\u001f", "é", "中", "😀"};
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

  final Random random;

  Values(long seed) {
    random = new Random(seed);
  }

  public static void main(String[] arguments) throws IOException {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    int count = Integer.parseInt(arguments[0]);
    long seed = Long.parseLong(arguments[1]);
    for (int n = 0; n < count; n++) {
      out.println(new Values(seed + n).line());
    }
    out.flush();
  }

  private String line() throws IOException {
    ArrayNode items = items();
    Schema schema = schema(items);
    List<GenericRecord> records = new ArrayList<>();
    ArrayNode written = MAPPER.createArrayNode();
    ArrayNode data = MAPPER.createArrayNode();
    for (int n = 0; n < RECORDS; n++) {
      ObjectNode json = MAPPER.createObjectNode();
      GenericRecord record = record(schema, items, json);
      records.add(record);
      written.add(json);
      data.add(hex(datum(schema, record)));
    }
    ObjectNode line = MAPPER.createObjectNode();
    line.set("items", items);
    line.set("records", written);
    line.set("data", data);
    line.put("file", hex(file(schema, records)));
    return line.toString();
  }

  ArrayNode items() {
    ArrayNode items = MAPPER.createArrayNode();
    int fields = 1 + random.nextInt(10);
    for (int n = 0; n < fields; n++) {
      items.add(item("item_" + n));
    }
    return items;
  }

  ObjectNode item(String name) {
    String kind = KINDS[random.nextInt(KINDS.length)];
    ObjectNode item = MAPPER.createObjectNode();
    item.put("name", name).put("title", "项" + name.replace("item_", "")).put("type", kind).put("nullable", random.nextBoolean());
    if (kind.equals("N") || kind.equals("Y")) {
      int precision = 1 + random.nextInt(38);
      item.put("precision", precision).put("scale", random.nextInt(precision + 1));
    } else if (kind.equals("I") && random.nextBoolean()) {
      item.put("length", 9);
    }
    return item;
  }

  static Schema schema(ArrayNode items) {
    ObjectNode schema = MAPPER.createObjectNode();
    schema.put("type", "record").put("name", "Foreign").put("namespace", "gov.example");
    ArrayNode fields = schema.putArray("fields");
    items.forEach(item -> {
      ObjectNode field = fields.addObject().put("name", item.get("name").asText());
      if (item.get("nullable").asBoolean()) {
        field.putArray("type").add("null").add(type((ObjectNode) item));
      } else {
        field.set("type", type((ObjectNode) item));
      }
      if (item.has("aliases")) {
        field.set("aliases", item.get("aliases"));
      }
      if (item.has(DEFAULT)) {
        field.set("default", item.get(DEFAULT));
      }
    });
    return new Schema.Parser().parse(schema.toString());
  }

  /** Member of an item: its default as a schema has it. */
  static final String DEFAULT = "in_schema";

  private static ObjectNode type(ObjectNode item) {
    ObjectNode type = MAPPER.createObjectNode();
    switch (item.get("type").asText()) {
      case "C", "M" -> type.put("type", "string");
      case "N", "Y" -> {
        type.put("type", "bytes").put("logicalType", "decimal");
        type.put("precision", item.get("precision").asInt()).put("scale", item.get("scale").asInt());
      }
      case "D" -> type.put("type", "int").put("logicalType", "date");
      case "T" -> type.put("type", "long").put("logicalType", "timestamp-millis");
      case "L" -> type.put("type", "boolean");
      case "G" -> type.put("type", "bytes");
      case "B" -> type.put("type", "double");
      case "F" -> type.put("type", "float");
      default -> type.put("type", item.has("length") ? "int" : "long");
    }
    return type;
  }

  GenericRecord record(Schema schema, ArrayNode items, ObjectNode json) {
    GenericRecord record = new GenericData.Record(schema);
    items.forEach(item -> {
      String name = item.get("name").asText();
      if (item.get("nullable").asBoolean() && random.nextInt(4) == 0) {
        json.putNull(name);
        record.put(name, null);
      } else {
        record.put(name, value((ObjectNode) item, name, json));
      }
    });
    return record;
  }

  Object value(ObjectNode item, String name, ObjectNode json) {
    switch (item.get("type").asText()) {
      case "C", "M": {
        StringBuilder text = new StringBuilder();
        for (int n = random.nextInt(12); n > 0; n--) {
          text.append(LETTERS[random.nextInt(LETTERS.length)]);
        }
        json.put(name, text.toString());
        return text.toString();
      }
      case "N", "Y": {
        BigInteger most = BigInteger.TEN.pow(item.get("precision").asInt());
        BigInteger unscaled = new BigInteger(random.nextInt(130), random).mod(most);
        BigInteger signed = random.nextBoolean() ? unscaled.negate() : unscaled;
        json.put(name, new BigDecimal(signed, item.get("scale").asInt()).toPlainString());
        return ByteBuffer.wrap(signed.toByteArray());
      }
      case "D": {
        int days = random.nextInt(3_652_059) - 719_162;
        json.put(name, LocalDate.ofEpochDay(days).toString());
        return days;
      }
      case "T": {
        long millis = -62_135_510_400_000L + (long) (random.nextDouble() * 315_537_811_200_000L);
        json.put(name, TIME.format(Instant.ofEpochMilli(millis)));
        return millis;
      }
      case "L": {
        boolean truth = random.nextBoolean();
        json.put(name, truth);
        return truth;
      }
      case "G": {
        byte[] bytes = new byte[random.nextInt(9)];
        random.nextBytes(bytes);
        json.put(name, Base64.getEncoder().encodeToString(bytes));
        return ByteBuffer.wrap(bytes);
      }
      case "B": {
        double number = Double.longBitsToDouble(random.nextLong());
        double finite = Double.isFinite(number) ? number : -0.0;
        json.put(name, finite);
        return finite;
      }
      case "F": {
        float number = Float.intBitsToFloat(random.nextInt());
        float finite = Float.isFinite(number) ? number : 0.1f;
        json.put(name, finite);
        return finite;
      }
      default: {
        long number = random.nextLong() >> random.nextInt(64);
        if (item.has("length")) {
          json.put(name, number % 1_000_000_000);
          return (int) (number % 1_000_000_000);
        }
        json.put(name, number);
        return number;
      }
    }
  }

  static byte[] datum(Schema schema, GenericRecord record) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
    new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
    encoder.flush();
    return bytes.toByteArray();
  }

  private static byte[] file(Schema schema, List<GenericRecord> records) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataFileWriter<GenericRecord> writer = new DataFileWriter<>(new GenericDatumWriter<>(schema))) {
      writer.setCodec(CodecFactory.deflateCodec(9));
      // Its own, or every run would write another file.
      writer.create(schema, bytes, "changtong values".getBytes());
      for (GenericRecord record : records) {
        writer.append(record);
      }
    }
    return bytes.toByteArray();
  }

  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte one : bytes) {
      text.append(String.format("%02x", one));
    }
    return text.toString();
  }
}
