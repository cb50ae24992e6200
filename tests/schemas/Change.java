import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Changes a schema in one place, as people change schemas. */
final class Change {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private final Make make;
  private final JsonNode[] top = new JsonNode[1];
  /** Every type with what puts another in its place. */
  private final List<JsonNode> types = new ArrayList<>();
  private final List<Consumer<JsonNode>> places = new ArrayList<>();

  private Change(Make make, JsonNode schema) {
    this.make = make;
    top[0] = schema.deepCopy();
    collect(top[0], type -> top[0] = type);
  }

  static JsonNode of(Make make, JsonNode schema) {
    Change change = new Change(make, schema);
    if (make.chance(8)) {
      return change.renamed();
    }
    for (int tries = 0; tries < 20; tries++) {
      int at = make.random.nextInt(change.types.size());
      if (change.apply(change.types.get(at), change.places.get(at))) {
        break;
      }
    }
    return change.top[0];
  }

  private void collect(JsonNode type, Consumer<JsonNode> place) {
    types.add(type);
    places.add(place);
    if (type.isArray()) {
      for (int at = 0; at < type.size(); at++) {
        int branch = at;
        collect(type.get(at), other -> ((ArrayNode) type).set(branch, other));
      }
    } else if (type.isObject()) {
      for (String member : new String[] {"items", "values"}) {
        if (type.has(member)) {
          collect(type.get(member), other -> ((ObjectNode) type).set(member, other));
        }
      }
      for (JsonNode field : type.path("fields")) {
        collect(field.get("type"), other -> ((ObjectNode) field).set("type", other));
      }
    }
  }

  private boolean apply(JsonNode type, Consumer<JsonNode> place) {
    if (type.isArray()) {
      return union((ArrayNode) type, place);
    }
    switch (type.isTextual() ? type.textValue() : type.path("type").asText()) {
      case "record":
      case "error":
        return make.chance(75) ? fields((ObjectNode) type) : name((ObjectNode) type);
      case "enum":
        return make.chance(75) ? symbols((ObjectNode) type) : name((ObjectNode) type);
      case "fixed":
        return make.chance(50) ? size((ObjectNode) type) : name((ObjectNode) type);
      default:
        return other(type, place);
    }
  }

  private boolean other(JsonNode type, Consumer<JsonNode> place) {
    boolean array = type.has("items");
    switch (make.random.nextInt(5)) {
      case 0:
      case 1:
        place.accept(make.chance(85) ? JSON.textNode(make.one(Make.PRIMITIVES)) : make.logical());
        return true;
      case 2:
        place.accept(make.chance(60) ? JSON.arrayNode().add("null").add(type) : JSON.arrayNode().add(type).add("null"));
        return true;
      case 3:
        place.accept(make.type(2, false));
        return true;
      default:
        if (!array && !type.has("values")) {
          return false;
        }
        JsonNode within = type.get(array ? "items" : "values");
        ObjectNode swapped = JSON.objectNode().put("type", array ? "map" : "array");
        place.accept(swapped.set(array ? "values" : "items", within));
        return true;
    }
  }

  private boolean union(ArrayNode union, Consumer<JsonNode> place) {
    switch (make.random.nextInt(5)) {
      case 0:
        union.add(make.type(2, true));
        return true;
      case 1:
        return union.size() > 1 && union.remove(make.random.nextInt(union.size())) != null;
      case 2:
        return shuffle(union);
      case 3:
        return set(union, make.random.nextInt(Math.max(1, union.size())));
      default:
        if (union.isEmpty()) {
          return false;
        }
        place.accept(union.get(make.random.nextInt(union.size())));
        return true;
    }
  }

  private boolean set(ArrayNode union, int at) {
    if (at >= union.size()) {
      return false;
    }
    union.set(at, make.type(2, true));
    return true;
  }

  private boolean shuffle(ArrayNode list) {
    List<JsonNode> parts = new ArrayList<>();
    list.forEach(parts::add);
    Collections.shuffle(parts, make.random);
    list.removeAll();
    parts.forEach(list::add);
    return parts.size() > 1;
  }

  private boolean fields(ObjectNode record) {
    ArrayNode fields = (ArrayNode) record.get("fields");
    ObjectNode field = fields.isEmpty() ? null : (ObjectNode) fields.get(make.random.nextInt(fields.size()));
    int die = make.random.nextInt(10);
    if (die < 3 || field == null) {
      fields.add(make.field(make.one(Make.FIELDS), 2));
      return true;
    }
    switch (die) {
      case 3:
        fields.remove(make.random.nextInt(fields.size()));
        return true;
      case 4:
        return shuffle(fields);
      case 5:
      case 6:
        String old = field.get("name").textValue();
        field.put("name", make.one(Make.FIELDS));
        if (make.chance(60)) {
          field.putArray("aliases").add(old);
        }
        return true;
      case 7:
        JsonNode value = make.value(field.get("type"), 0);
        if (value == null || field.has("default")) {
          return field.remove("default") != null;
        }
        field.set("default", value);
        return true;
      case 8:
        field.withArray("aliases").add(make.one(Make.FIELDS));
        return true;
      default:
        field.set("type", make.reference(false));
        field.remove("default");
        return true;
    }
  }

  private boolean symbols(ObjectNode type) {
    ArrayNode symbols = (ArrayNode) type.get("symbols");
    switch (make.random.nextInt(5)) {
      case 0:
      case 1:
        symbols.add(make.one(Make.SYMBOLS));
        return true;
      case 2:
        return !symbols.isEmpty() && symbols.remove(make.random.nextInt(symbols.size())) != null;
      case 3:
        return shuffle(symbols);
      default:
        if (symbols.isEmpty() || type.has("default")) {
          return type.remove("default") != null;
        }
        type.set("default", symbols.get(make.random.nextInt(symbols.size())));
        return true;
    }
  }

  private boolean size(ObjectNode type) {
    type.put("size", 1 + make.random.nextInt(4));
    return true;
  }

  /** Another namespace, or an alias. */
  private boolean name(ObjectNode type) {
    if (make.chance(50) && type.get("name").textValue().indexOf('.') < 0) {
      type.put("namespace", make.one(Make.SPACES));
      return true;
    }
    String name = type.get("name").textValue().replaceFirst("\\d", "" + make.random.nextInt(5));
    type.withArray("aliases").add(make.chance(60) ? name : make.one(Make.SPACES) + "." + name);
    return true;
  }

  /** Another name for a type wherever it stands, mostly with the old one as an alias. */
  private JsonNode renamed() {
    Matcher named = Pattern.compile("\"name\":\"([\\w.]*?)([REX]\\d+)\"").matcher(top[0].toString());
    if (!named.find()) {
      return top[0];
    }
    String old = named.group(2);
    String name = old.charAt(0) + "" + (7 + make.random.nextInt(3));
    String text = top[0].toString().replace(old + "\"", name + "\"");
    if (make.chance(70)) {
      String alias = make.chance(80) ? named.group(1) + old : make.one(Make.SPACES) + "." + old;
      text = text.replace("\"name\":\"" + named.group(1) + name + "\"",
          "\"name\":\"" + named.group(1) + name + "\",\"aliases\":[\"" + alias + "\"]");
    }
    return Oracle.json(text);
  }
}
