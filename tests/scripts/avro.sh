#!/usr/bin/env bash
# Avro of other makers for tests, kept in a cache folder: fastavro (Python) and Apache Avro's command line (Java).
#
#   avro.sh fetch fastavro|avro-tools       fetch it unless it is there; print its folder, or its jar
#   avro.sh complete fastavro|avro-tools    succeed if it is there
set -eu

fastavro=1.12.0
tools=1.12.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/changtong

# Of fastavro the compiled part is of one Python, so each version of Python has its own.
python_tag() { python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

place() {
  case "$1" in
    fastavro) echo "$cache/fastavro-$fastavro-python$(python_tag)" ;;
    avro-tools) echo "$cache/avro-tools-$tools/avro-tools-$tools.jar" ;;
    *) return 2 ;;
  esac
}

complete() {
  case "$1" in
    fastavro) [ -d "$(place fastavro)/fastavro" ] ;;
    avro-tools) [ -s "$(place avro-tools)" ] ;;
  esac
}

# Fetched beside its place and moved there whole, so that what is there is complete.
fetch_once() {
  local part
  part=$(mktemp -d "$cache/part.XXXXXX")
  if fetch_into "$1" "$part" >"$part.log" 2>&1; then
    rm -f "$part.log"
    return 0
  fi
  cat "$part.log" >&2
  rm -rf "$part" "$part.log"
  return 1
}

fetch_into() {
  local place
  place=$(place "$1")
  case "$1" in
    fastavro)
      timeout 300 python3 -m pip install --quiet --no-deps --target "$2/whole" "fastavro==$fastavro" || return 1
      rm -rf "$place" && mv "$2/whole" "$place"
      ;;
    avro-tools)
      timeout 600 mvn -q -B -f "$here/../avro/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$2" || return 1
      mkdir -p "${place%/*}" && mv "$2/${place##*/}" "$place"
      ;;
  esac
  rm -rf "$2"
}

fetch() {
  mkdir -p "$cache"
  for try in 1 2 3; do
    if complete "$1"; then
      place "$1"
      return 0
    fi
    echo "avro.sh: fetching $1 (try $try of 3)" >&2
    fetch_once "$1" || sleep "$((try * 3))"
  done
  complete "$1" && place "$1" && return 0
  echo "avro.sh: $1 could not be fetched" >&2
  return 1
}

case "${1-} ${2-}" in
  'fetch fastavro' | 'fetch avro-tools') fetch "$2" ;;
  'complete fastavro' | 'complete avro-tools') complete "$2" ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
