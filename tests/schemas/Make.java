import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes small random schemas as JSON; the same seed makes the same ones. */
final class Make {
  static final String[] PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};
  static final String[] FIELDS = {"a", "b", "c", "d", "e"};
  static final String[] SYMBOLS = {"P", "Q", "S", "T", "U"};
  static final String[] SPACES = {"n", "m", "n.o"};
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  final Random random;
  /** Names defined so far, as a reference writes them, and the records around the place that is made. */
  private final List<String> defined = new ArrayList<>();
  private final List<String> around = new ArrayList<>();
  private int names;

  Make(long seed) {
    random = new Random(seed);
  }

  boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  <T> T one(T[] of) {
    return of[random.nextInt(of.length)];
  }

  JsonNode schema() {
    return chance(80) ? record(0) : type(0, false);
  }

  JsonNode type(int depth, boolean inUnion) {
    int die = random.nextInt(100);
    if (depth > 3 || die < 38) {
      return JSON.textNode(one(PRIMITIVES));
    }
    if (die < 46) {
      return logical();
    }
    if (die < 57) {
      return collection(depth);
    }
    if (die < 72) {
      return inUnion ? JSON.textNode(one(PRIMITIVES)) : union(depth);
    }
    if (die < 81) {
      return enumeration();
    }
    if (die < 86) {
      return fixed();
    }
    if (die < 92) {
      return record(depth);
    }
    return reference(inUnion);
  }

  JsonNode reference(boolean inUnion) {
    List<String> known = chance(50) && !around.isEmpty() ? around : defined;
    if (known.isEmpty()) {
      return JSON.textNode(one(PRIMITIVES));
    }
    String name = known.get(random.nextInt(known.size()));
    if (known == around && !inUnion && chance(70)) {
      return JSON.arrayNode().add("null").add(name);
    }
    return JSON.textNode(name);
  }

  JsonNode logical() {
    ObjectNode type = JSON.objectNode();
    switch (random.nextInt(6)) {
      case 0:
        return type.put("type", "int").put("logicalType", "date");
      case 1:
        return type.put("type", "long").put("logicalType", chance(50) ? "timestamp-millis" : "timestamp-micros");
      case 2:
        return type.put("type", "bytes").put("logicalType", "decimal").put("precision", 4 + random.nextInt(3))
            .put("scale", random.nextInt(3));
      case 3:
        return type.put("type", "string").put("logicalType", "uuid");
      case 4:
        return type.put("type", one(PRIMITIVES)).put("unit", chance(50) ? "km" : "m");
      default:
        return type.put("type", one(PRIMITIVES));
    }
  }

  JsonNode collection(int depth) {
    return chance(50)
        ? JSON.objectNode().put("type", "array").set("items", type(depth + 1, false))
        : JSON.objectNode().put("type", "map").set("values", type(depth + 1, false));
  }

  JsonNode union(int depth) {
    ArrayNode union = JSON.arrayNode();
    if (chance(70)) {
      union.add("null");
    }
    for (int left = 1 + random.nextInt(3); left > 0; left--) {
      union.add(type(depth + 1, true));
    }
    return union;
  }

  private ObjectNode named(String kind, String prefix) {
    ObjectNode type = JSON.objectNode().put("type", kind);
    String name = prefix + ++names;
    if (chance(15)) {
      type.put("name", one(SPACES) + "." + name);
    } else {
      type.put("name", name);
      if (chance(20)) {
        type.put("namespace", chance(15) ? "" : one(SPACES));
      }
    }
    if (chance(5)) {
      type.put("doc", "text of " + name);
    }
    if (chance(6)) {
      type.putArray("aliases").add(chance(50) ? prefix + (names + 1) : one(SPACES) + "." + prefix + (names + 1));
    }
    return type;
  }

  private String short_(ObjectNode type) {
    String name = type.get("name").textValue();
    return type.has("namespace") && !type.get("namespace").textValue().isEmpty() && chance(60)
        ? type.get("namespace").textValue() + "." + name
        : name;
  }

  JsonNode enumeration() {
    ObjectNode type = named("enum", "E");
    ArrayNode symbols = type.putArray("symbols");
    int from = random.nextInt(2);
    for (int at = from; at < from + 1 + random.nextInt(4) && at < SYMBOLS.length; at++) {
      symbols.add(SYMBOLS[at]);
    }
    if (chance(40)) {
      type.set("default", symbols.get(random.nextInt(symbols.size())));
    }
    defined.add(short_(type));
    return type;
  }

  JsonNode fixed() {
    ObjectNode type = named("fixed", "X").put("size", one(new Integer[] {0, 1, 4, 12, 16}));
    if (chance(20)) {
      type.put("logicalType", "decimal").put("precision", 2).put("scale", 1);
    }
    defined.add(short_(type));
    return type;
  }

  JsonNode record(int depth) {
    ObjectNode type = named(chance(3) ? "error" : "record", "R");
    around.add(short_(type));
    ArrayNode fields = type.putArray("fields");
    for (int at = random.nextInt(FIELDS.length), left = 1 + random.nextInt(depth == 0 ? 4 : 2); left > 0; left--) {
      fields.add(field(FIELDS[at++ % FIELDS.length], depth));
    }
    if (chance(4)) {
      type.put("owner", "x").put("rank", random.nextInt(3));
    }
    defined.add(around.remove(around.size() - 1));
    return type;
  }

  ObjectNode field(String name, int depth) {
    ObjectNode field = JSON.objectNode().put("name", name);
    JsonNode type = type(depth + 1, false);
    field.set("type", type);
    if (chance(45)) {
      JsonNode value = value(type, 0);
      if (value != null) {
        field.set("default", value);
      }
    }
    if (chance(4)) {
      field.put("order", chance(50) ? "descending" : "ignore");
    }
    if (chance(8)) {
      field.putArray("aliases").add(one(FIELDS));
    }
    if (chance(4)) {
      field.put("title", "项" + name);
    }
    return field;
  }

  /** A value that may be a default of the type; null if none comes to mind. */
  JsonNode value(JsonNode type, int depth) {
    if (type.isArray()) {
      return type.isEmpty() ? null : value(type.get(chance(70) ? 0 : random.nextInt(type.size())), depth);
    }
    String word = type.isTextual() ? type.textValue() : type.path("type").asText();
    switch (word) {
      case "null":
        return JSON.nullNode();
      case "boolean":
        return JSON.booleanNode(chance(50));
      case "int":
      case "long":
        return JSON.numberNode(random.nextInt(9) - 4);
      case "float":
      case "double":
        return chance(50) ? JSON.numberNode(random.nextInt(9)) : JSON.numberNode(random.nextInt(90) / 8.0);
      case "bytes":
      case "string":
      case "fixed":
        return JSON.textNode(chance(50) ? "" : "é\u0001");
      case "enum":
        return type.get("symbols").isEmpty() ? null : type.get("symbols").get(0);
      case "array":
        ArrayNode values = JSON.arrayNode();
        JsonNode element = chance(40) ? value(type.get("items"), depth + 1) : null;
        return element == null ? values : values.add(element);
      case "map":
        ObjectNode members = JSON.objectNode();
        JsonNode member = chance(40) ? value(type.get("values"), depth + 1) : null;
        return member == null ? members : members.set("k", member);
      case "record":
        ObjectNode record = JSON.objectNode();
        for (JsonNode field : type.get("fields")) {
          if (!field.has("default") || chance(30)) {
            JsonNode own = value(field.get("type"), depth + 1);
            if (own == null) {
              return null;
            }
            record.set(field.get("name").textValue(), own);
          }
        }
        return record;
      default:
        return chance(30) ? JSON.objectNode() : null;
    }
  }
}
