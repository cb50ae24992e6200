import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;

/** Changes the JSON of a schema without regard to what it means: mostly it is no schema then, sometimes another. */
final class Spoil {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static final String[] MEMBERS = {"type", "name", "namespace", "fields", "items", "values", "symbols", "size",
      "default", "order", "aliases", "doc", "logicalType", "unit", "precision", "scale"};
  private static final String[] NAMES = {"", "1a", "a-b", "a.b", ".a", "a.", "n..a", "中", "int", "R1", "E1", "n.R1", "_", "record",
      "array", "é", "a b"};

  static String of(Make make, JsonNode schema) {
    JsonNode top = schema.deepCopy();
    List<JsonNode> nodes = new ArrayList<>();
    collect(top, nodes);
    if (nodes.isEmpty()) {
      return top.toString();
    }
    for (int left = 1 + make.random.nextInt(2); left > 0; left--) {
      JsonNode node = nodes.get(make.random.nextInt(nodes.size()));
      if (node.isObject()) {
        member(make, (ObjectNode) node);
      } else {
        element(make, (ArrayNode) node);
      }
    }
    return top.toString();
  }

  private static void collect(JsonNode node, List<JsonNode> nodes) {
    if (node.isContainerNode()) {
      nodes.add(node);
      node.forEach(child -> collect(child, nodes));
    }
  }

  private static void member(Make make, ObjectNode object) {
    List<String> own = new ArrayList<>();
    object.fieldNames().forEachRemaining(own::add);
    String name = own.isEmpty() || make.chance(35) ? make.one(MEMBERS) : own.get(make.random.nextInt(own.size()));
    if (make.chance(20)) {
      object.remove(name);
    } else {
      object.set(name, value(make));
    }
  }

  private static void element(Make make, ArrayNode array) {
    if (array.isEmpty() || make.chance(30)) {
      array.add(array.isEmpty() || make.chance(50) ? value(make) : array.get(make.random.nextInt(array.size())).deepCopy());
    } else if (make.chance(30)) {
      array.remove(make.random.nextInt(array.size()));
    } else {
      array.set(make.random.nextInt(array.size()), value(make));
    }
  }

  private static JsonNode value(Make make) {
    switch (make.random.nextInt(12)) {
      case 0:
        return JSON.nullNode();
      case 1:
        return JSON.numberNode(make.random.nextInt(20) - 4);
      case 2:
        return JSON.numberNode(make.random.nextInt(100) / 16.0);
      case 3:
        return JSON.booleanNode(make.chance(50));
      case 4:
        return JSON.arrayNode().add(make.one(NAMES));
      case 5:
        return JSON.objectNode();
      case 6:
        return JSON.numberNode(3_000_000_000L * (make.random.nextInt(5) - 2));
      case 7:
        return make.type(2, false);
      case 8:
        return JSON.textNode(make.one(Make.PRIMITIVES));
      default:
        return JSON.textNode(make.one(NAMES));
    }
  }
}
