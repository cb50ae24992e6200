#!/usr/bin/env python3
"""Cuts the bundled subset out of the full files: make_subset.py $(tests/scripts/data.sh).

Lines are copied as they are and in their order, so the same full files always give the same subset. What is
chosen keeps what is odd about the real data: cancelled flights (no times), missing tail numbers, the weather hour
that daylight saving repeats, an impossible wind speed, pressures written "1e3", airports without a time zone or on
the wrong side of the globe, names that GBK cannot write. NOTICE.md says where the data comes from.
"""

import pathlib
import sys

FLIGHTS_DAY = ("3", "25")
WEATHER_DAYS = {("2", "12"), ("3", "25"), ("6", "28"), ("8", "22"), ("11", "3"), ("12", "15"), ("12", "29")}
HERE = pathlib.Path(__file__).resolve().parent


def read(folder, name):
    """The header line, and the other lines, each with its fields by column name."""
    header, *lines = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    columns = header.split(",")
    return header, [(line, dict(zip(columns, line.split(",")))) for line in lines]


def write(name, header, rows):
    text = "\n".join([header, *(line for line, _ in rows)]) + "\n"
    (HERE / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
    print(f"{name}: {len(rows)} rows, {len(text.encode())} bytes")


def keep_flight(flight):
    if (flight["month"], flight["day"]) == FLIGHTS_DAY:
        return True
    if flight["origin"] != "JFK" or flight["dep_delay"] == "NA":
        return False
    # What the second day's file of the demo drops, moves out of the consumer's filter and moves into it.
    delay = int(flight["dep_delay"])
    return {
        "HA": delay > 15,
        "VX": 15 < delay <= 25,
        "US": 10 < delay <= 15,
    }.get(flight["carrier"], False)


def keep_street(street):
    name = street["name"].strip('"')
    outside_gbk = not name.encode("gbk", "ignore").decode("gbk") == name
    return (
        street["provinceCode"] == "46"
        or street["areaCode"] in ("441900", "442000")
        or outside_gbk
        or len(name) >= 18
    )


def main():
    folder = pathlib.Path(sys.argv[1])

    header, flights = read(folder, "flights")
    flights = [row for row in flights if keep_flight(row[1])]
    write("flights", header, flights)

    header, weather = read(folder, "weather")
    write("weather", header, [row for row in weather if (row[1]["month"], row[1]["day"]) in WEATHER_DAYS])

    flown = {flight["tailnum"] for _, flight in flights}
    header, planes = read(folder, "planes")
    write("planes", header, [row for row in planes if row[1]["tailnum"] in flown])

    served = {flight[end] for _, flight in flights for end in ("origin", "dest")}
    header, airports = read(folder, "airports")
    odd = lambda airport: airport["tzone"] == "NA" or airport["tz"] == "8" or airport["faa"].isdigit()
    write("airports", header, [row for row in airports if row[1]["faa"] in served or odd(row[1])])

    header, streets = read(folder, "streets")
    write("streets", header, [row for row in streets if keep_street(row[1])])


if __name__ == "__main__":
    main()
