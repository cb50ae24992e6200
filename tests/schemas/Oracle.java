import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;

/**
 * What Java's Avro says: which texts are schemas, how they are written, which of two reads what the other wrote.
 *
 * <pre>
 * java Oracle pairs FAMILIES SEED   families of related schemas, each read with each
 * java Oracle texts FILE COUNT SEED the texts of FILE, then COUNT made at random
 * </pre>
 */
public final class Oracle {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int FAMILY = 12;

  public static void main(String[] arguments) throws IOException {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    if (arguments[0].equals("pairs")) {
      pairs(out, Integer.parseInt(arguments[1]), Long.parseLong(arguments[2]));
    } else {
      texts(out, Path.of(arguments[1]), Integer.parseInt(arguments[2]), Long.parseLong(arguments[3]));
    }
    out.flush();
  }

  static JsonNode json(String text) {
    try {
      return MAPPER.readTree(text);
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** As a registry reads a new schema: strict names, defaults checked. */
  static Schema parse(String text) {
    return new Schema.Parser(NameValidator.STRICT_VALIDATOR).parse(text);
  }

  private static Schema parsed(JsonNode schema) {
    try {
      return parse(schema.toString());
    } catch (RuntimeException refused) {
      return null;
    }
  }

  // === pairs

  private static void pairs(PrintStream out, int families, long seed) {
    for (int family = 0; family < families; family++) {
      Make make = new Make(seed + family);
      Set<String> texts = new LinkedHashSet<>();
      List<JsonNode> members = new ArrayList<>();
      for (int tries = 0; members.isEmpty() && tries < 50; tries++) {
        add(make.schema(), texts, members);
      }
      for (int tries = 0; !members.isEmpty() && members.size() < FAMILY && tries < 300; tries++) {
        JsonNode from = members.get(make.chance(60) ? 0 : make.random.nextInt(members.size()));
        JsonNode to = Change.of(make, from);
        add(make.chance(30) ? Change.of(make, to) : to, texts, members);
      }
      if (members.size() == FAMILY) {
        family(out, texts);
      }
    }
  }

  private static void add(JsonNode schema, Set<String> texts, List<JsonNode> members) {
    String text = schema.toString();
    if (text.length() < 320 && parsed(schema) != null && texts.add(text)) {
      members.add(schema);
    }
  }

  private static void family(PrintStream out, Set<String> texts) {
    List<Schema> schemas = new ArrayList<>();
    CRC32 written = new CRC32();
    for (String text : texts) {
      Schema schema = parse(text);
      schemas.add(schema);
      out.println(text);
      feed(written, schema.toString());
      feed(written, SchemaNormalization.toParsingForm(schema));
    }
    CRC32 messages = new CRC32();
    for (Schema reader : schemas) {
      StringBuilder row = new StringBuilder();
      for (Schema writer : schemas) {
        row.append(row.length() == 0 ? "" : "\t").append(verdict(reader, writer, messages));
      }
      out.println(row);
    }
    out.printf("%08x %08x%n", written.getValue(), messages.getValue());
  }

  private static void feed(CRC32 sum, String text) {
    sum.update((text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** A point if all can be read, ! if Java gives up, else each finding once: its letter and where it is. */
  private static String verdict(Schema reader, Schema writer, CRC32 messages) {
    SchemaCompatibility.SchemaCompatibilityResult result;
    try {
      result = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
    } catch (RuntimeException gaveUp) {
      return "!";
    }
    Set<String> found = new LinkedHashSet<>();
    Set<String> told = new LinkedHashSet<>();
    for (SchemaCompatibility.Incompatibility one : result.getIncompatibilities()) {
      found.add(letter(one.getType()) + one.getLocation());
      told.add(one.getType() + " " + one.getLocation() + " " + one.getMessage());
    }
    told.forEach(one -> feed(messages, one));
    boolean compatible = result.getCompatibility() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE;
    if (compatible != found.isEmpty()) {
      throw new IllegalStateException(reader + " " + writer);
    }
    return compatible ? "." : String.join(" ", found);
  }

  private static char letter(SchemaCompatibility.SchemaIncompatibilityType type) {
    switch (type) {
      case NAME_MISMATCH:
        return 'N';
      case FIXED_SIZE_MISMATCH:
        return 'F';
      case MISSING_ENUM_SYMBOLS:
        return 'E';
      case READER_FIELD_MISSING_DEFAULT_VALUE:
        return 'D';
      case TYPE_MISMATCH:
        return 'T';
      default:
        return 'U';
    }
  }

  // === texts

  private static void texts(PrintStream out, Path file, int count, long seed) throws IOException {
    for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
      if (!line.isBlank() && !line.startsWith("#")) {
        text(out, line.startsWith("\"\"\"") ? MAPPER.readValue(line.substring(2), String.class) : line);
      }
    }
    Set<String> seen = new LinkedHashSet<>();
    for (long at = 0; seen.size() < count; at++) {
      Make make = new Make(seed + at);
      JsonNode schema = make.schema();
      if (make.chance(50)) {
        schema = Change.of(make, schema);
      }
      String text = make.chance(65) ? Spoil.of(make, schema) : schema.toString();
      if (text.length() < 320 && seen.add(text)) {
        text(out, text);
      }
    }
  }

  /** The text, what is written of it (the same is "="), its fingerprint; null if it is refused. */
  private static void text(PrintStream out, String text) throws IOException {
    List<Object> line = new ArrayList<>();
    line.add(text);
    try {
      Schema schema = parse(text);
      String written = schema.toString();
      line.add(written.equals(text) ? "=" : written);
      line.add(String.format("%016x", SchemaNormalization.parsingFingerprint64(schema)));
    } catch (RuntimeException | StackOverflowError refused) {
      line.add(null);
    }
    out.println(MAPPER.writeValueAsString(line));
  }
}
