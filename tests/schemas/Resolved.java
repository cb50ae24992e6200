import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/**
 * Records of one list of items as Java's Avro reads them with the schema of a later one: for each of COUNT pairs one line
 * with both lists, the defaults of the later as a schema has them, the bytes that were written, and the bytes of what was
 * read.
 *
 * <pre>
 * java Resolved COUNT SEED
 * </pre>
 */
public final class Resolved {
  private final Values values;

  private Resolved(long seed) {
    values = new Values(seed);
  }

  public static void main(String[] arguments) throws IOException {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    int count = Integer.parseInt(arguments[0]);
    long seed = Long.parseLong(arguments[1]);
    for (int n = 0; n < count; n++) {
      out.println(new Resolved(seed + n).line());
    }
    out.flush();
  }

  private String line() throws IOException {
    ArrayNode old = values.items();
    ArrayNode later = later(old);
    Schema writer = Values.schema(old);
    Schema reader = Values.schema(later);
    ObjectNode line = Values.MAPPER.createObjectNode();
    line.set("old", old);
    line.set("new", later);
    ObjectNode defaults = line.putObject("defaults");
    for (JsonNode item : later) {
      if (item.has(Values.DEFAULT)) {
        defaults.set(item.get("name").asText(), ((ObjectNode) item).remove(Values.DEFAULT));
      }
    }
    ArrayNode written = line.putArray("written");
    ArrayNode read = line.putArray("read");
    for (int n = 0; n < Values.RECORDS; n++) {
      GenericRecord record = values.record(writer, old, Values.MAPPER.createObjectNode());
      byte[] datum = Values.datum(writer, record);
      BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(datum, null);
      GenericRecord resolved = new GenericDatumReader<GenericRecord>(writer, reader).read(null, decoder);
      written.add(Values.hex(datum));
      read.add(Values.hex(Values.datum(reader, resolved)));
    }
    return line.toString();
  }

  /** Some items go, numbers widen, some have another name, others come that may be null or have a default. */
  private ArrayNode later(ArrayNode old) {
    List<ObjectNode> later = new ArrayList<>();
    for (JsonNode before : old) {
      if (chance(5)) {
        continue;
      }
      ObjectNode item = before.deepCopy();
      widen(item);
      if (chance(3)) {
        item.put("nullable", true);
      }
      if (chance(4)) {
        putDefault(item);
      }
      if (chance(3)) {
        String name = item.get("name").asText();
        item.putArray("aliases").add("never_" + name).add(name);
        item.put("name", "renamed_" + name);
      }
      later.add(item);
    }
    for (int n = values.random.nextInt(4); n > 0; n--) {
      ObjectNode item = values.item("new_" + n);
      if (chance(3)) {
        item.put("nullable", true);
      } else {
        putDefault(item);
      }
      later.add(item);
    }
    Collections.shuffle(later, values.random);
    later.stream().filter(item -> item.get("nullable").asBoolean() && !item.has("default"))
        .forEach(item -> item.putNull(Values.DEFAULT));
    return Values.MAPPER.createArrayNode().addAll(later);
  }

  private void widen(ObjectNode item) {
    String kind = item.get("type").asText();
    boolean number = kind.equals("I") || kind.equals("F");
    if (number && chance(3)) {
      item.put("type", "B").remove("length");
    } else if (kind.equals("I") && chance(3)) {
      item.put("type", "F").remove("length");
    } else if (kind.equals("I") && chance(2)) {
      item.remove("length");
    } else if (kind.equals("C") && chance(2)) {
      item.put("type", chance(2) ? "M" : "G");
    } else if (item.has("precision") && chance(2)) {
      int precision = item.get("precision").asInt();
      item.put("precision", precision + values.random.nextInt(39 - precision));
    }
  }

  /** As a file writes it, and as a schema does (Avro 1.12, "Complex Types"). */
  private void putDefault(ObjectNode item) {
    String kind = item.get("type").asText();
    if (kind.equals("B") || kind.equals("F")) {
      // A file keeps fewer digits of a number with a point than a record may have.
      double eighths = values.random.nextInt(1 << 16) / 8.0;
      item.put("default", eighths).put(Values.DEFAULT, eighths);
      return;
    }
    Object value = values.value(item, "default", item);
    if (value instanceof ByteBuffer) {
      item.put(Values.DEFAULT, new String(((ByteBuffer) value).array(), StandardCharsets.ISO_8859_1));
    } else if (value instanceof Integer) {
      item.put(Values.DEFAULT, (Integer) value);
    } else if (value instanceof Long) {
      item.put(Values.DEFAULT, (Long) value);
    } else if (value instanceof Boolean) {
      item.put(Values.DEFAULT, (Boolean) value);
    } else {
      item.put(Values.DEFAULT, (String) value);
    }
  }

  private boolean chance(int one) {
    return values.random.nextInt(one) == 0;
  }
}
