#!/usr/bin/env bash
# What Apache Avro for Java says of schemas, and how it writes records: our parser, our rules of compatibility and our
# codec are held against it.
#
#   schemas.sh make                       make the files again that the tests read (the same, as long as Avro is)
#   schemas.sh compare                    make them beside and say which is not what it was made as
#   schemas.sh pairs FAMILIES SEED        print the verdicts on so many families of 12 schemas
#   schemas.sh texts COUNT SEED           print what becomes of tests/schemas/texts.txt and of so many texts made at random
#   schemas.sh values COUNT SEED          print records of so many lists of items, with their bytes
#   schemas.sh resolved COUNT SEED        print records of so many lists of items, and how they are read as later ones
#
# To hold our code against more than the files: print other families or texts into catalog/src/compat/tests/java.txt or
# catalog/src/avro/tests/java.jsonl, run `cargo test -p changtong-catalog java`, and check the files out again; print
# other records into connectors/src/avro/tests/java.jsonl or resolved.jsonl and run `cargo test -p changtong-connectors java`.
set -eu

version=1.12.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
libs=${XDG_CACHE_HOME:-$HOME/.cache}/changtong/avro-$version

# A list of the jars is written last, so a folder with a list was once whole.
complete() {
  [ -s "$libs/jars.list" ] || return 1
  while read -r jar; do
    [ -s "$libs/$jar" ] || return 1
  done <"$libs/jars.list"
}

fetch() {
  mkdir -p "$libs"
  for try in 1 2 3; do
    if complete; then return 0; fi
    command -v mvn >/dev/null || { echo "schemas.sh: mvn is missing (Debian package maven)" >&2; return 1; }
    echo "schemas.sh: fetching Apache Avro $version (try $try of 3)" >&2
    rm -f "$libs/jars.list"
    if timeout 900 mvn -q -B -f "$root/tests/schemas/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime "-DoutputDirectory=$libs" >&2; then
      (cd "$libs" && printf '%s\n' *.jar >jars.list.part && mv jars.list.part jars.list)
    else
      sleep "$((try * 3))"
    fi
  done
  complete || { echo "schemas.sh: Apache Avro $version could not be fetched" >&2; return 1; }
}

# Compiled into a folder of its own each time: it takes two seconds.
build() {
  # The tests have Avro in one jar already.
  jars=${CHANGTONG_TEST_AVRO_TOOLS:-}
  command -v javac >/dev/null || { echo "schemas.sh: javac is missing (Debian package default-jdk-headless)" >&2; return 1; }
  if [ -z "$jars" ]; then
    fetch
    jars=$libs/*
  fi
  classes=$(mktemp -d)
  trap 'rm -rf "$classes"' EXIT
  javac -encoding UTF-8 -cp "$jars" -d "$classes" "$root"/tests/schemas/*.java
}

values() { java -Dfile.encoding=UTF-8 -cp "$classes:$jars" Values "$@"; }
resolved() { java -Dfile.encoding=UTF-8 -cp "$classes:$jars" Resolved "$@"; }
oracle() { java -Dfile.encoding=UTF-8 -cp "$classes:$jars" Oracle "$@"; }

files="catalog/src/compat/tests/java.txt catalog/src/avro/tests/java.jsonl connectors/src/avro/tests/java.jsonl
connectors/src/avro/tests/resolved.jsonl"

# One of the files, as it was made.
made() {
  case "$1" in
    catalog/src/compat/tests/java.txt) oracle pairs 80 1 ;;
    catalog/src/avro/tests/java.jsonl) oracle texts "$root/tests/schemas/texts.txt" 500 1000 ;;
    connectors/src/avro/tests/java.jsonl) values 30 1 ;;
    connectors/src/avro/tests/resolved.jsonl) resolved 40 1 ;;
  esac
}

case "${1-}" in
  make)
    build
    for file in $files; do made "$file" >"$root/$file"; done
    ;;
  compare)
    build
    differs=0
    for file in $files; do
      made "$file" | cmp -s - "$root/$file" || { echo "$file is not what schemas.sh makes" >&2; differs=1; }
    done
    exit $differs
    ;;
  pairs) build && oracle pairs "$2" "$3" ;;
  values) build && values "$2" "$3" ;;
  resolved) build && resolved "$2" "$3" ;;
  texts) build && oracle texts "$root/tests/schemas/texts.txt" "$2" "$3" ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
