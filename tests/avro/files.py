"""Container files by fastavro, their records as plain JSON lines.

    files.py write SCHEMA CODEC OUT <LINES     records of the schema (a file) into OUT
    files.py read FILE                         its records, one line each
"""

import base64
import datetime
import decimal
import json
import sys

import fastavro

UTC = datetime.timezone.utc


def branch(kind):
    """The type of a field that may be null."""
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    return kind if isinstance(kind, dict) else {"type": kind}


def value_of(kind, value):
    """What fastavro wants for a value of plain JSON."""
    kind = branch(kind)
    if value is None:
        return None
    match kind.get("logicalType"):
        case "decimal":
            return decimal.Decimal(value)
        case "date":
            return datetime.date.fromisoformat(value)
        case "timestamp-millis" | "timestamp-micros":
            return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if kind["type"] == "bytes":
        return base64.b64decode(value)
    return value


def plain(value):
    """A value of fastavro as our JSON has it."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def write(schema, codec, out):
    with open(schema, encoding="utf-8") as text:
        parsed = fastavro.parse_schema(json.load(text))
    kinds = {field["name"]: field["type"] for field in parsed["fields"]}
    lines = (json.loads(line) for line in sys.stdin)
    records = ({name: value_of(kinds[name], value) for name, value in line.items()} for line in lines)
    with open(out, "wb") as file:
        fastavro.writer(file, parsed, records, codec=codec, sync_interval=100)


def read(path):
    with open(path, "rb") as file:
        for record in fastavro.reader(file):
            print(json.dumps(plain(record), ensure_ascii=False))


match sys.argv[1:]:
    case ["write", schema, codec, out]:
        write(schema, codec, out)
    case ["read", path]:
        read(path)
    case _:
        sys.exit(__doc__)
