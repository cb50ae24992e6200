#!/usr/bin/env bash
# Measures a release server on this machine with `changtong bench`: on the embedded engines, then on PostgreSQL and
# Apache Kafka. `make bench`.
#
#   bench.sh [--seconds N] [--concurrency N] [--thousands N]
set -eu
cd "$(dirname "$0")/../.."

seconds=20 concurrency=8 thousands=1000
while [ "$#" -gt 0 ]; do
  case "$1" in
    --seconds) seconds=$2 ;;
    --concurrency) concurrency=$2 ;;
    --thousands) thousands=$2 ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

tests/scripts/install.sh build
cargo build --locked --release --bin changtong
binary=${CARGO_TARGET_DIR:-target}/release/changtong

server='' folder=''
tidy() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  [ -z "$folder" ] || rm -rf "$folder"
}
trap tidy EXIT

# measure NAME: on a server of its own, with what the environment says of engines.
measure() {
  local started now
  folder=$(mktemp -d)
  export CHANGTONG_PROFILES=$folder/profiles.toml
  started=$(date +%s%N)
  CHANGTONG_HTTP__LISTEN=127.0.0.1:0 CHANGTONG_OPERATIONS__LISTEN=127.0.0.1:0 CHANGTONG_TELEMETRY__FILTER=warn \
    "$binary" serve --data "$folder/data" >"$folder/log" 2>&1 &
  server=$!
  # The first account's profile is written once the server listens.
  until [ -s "$CHANGTONG_PROFILES" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; return 1; }
    sleep 0.02
  done
  now=$(date +%s%N)
  sleep 2
  echo
  echo "=== $1: ready in $(((now - started) / 1000000)) ms on an empty store," \
    "$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$server/status") MiB when idle"

  local status=0 bench=("$binary" bench --as authority)
  for records in 100 1000; do
    echo "--- publish, $records records a request, $concurrency callers, $seconds s"
    "${bench[@]}" publish --pid "$server" --records "$records" --concurrency "$concurrency" --seconds "$seconds" ||
      status=1
  done
  for readers in 1 4; do
    echo "--- deliver, $readers subscriptions, $thousands thousand records"
    "${bench[@]}" deliver --pid "$server" --concurrency "$readers" --thousands "$thousands" || status=1
  done
  kill -TERM "$server"
  wait "$server" || status=1
  server=''
  [ "$status" = 0 ] || tail -n 20 "$folder/log" >&2
  rm -rf "$folder"
  return "$status"
}

if [ "${CHANGTONG_BENCH_PRODUCTION-}" = yes ]; then
  export CHANGTONG_DATABASE__URL=$CHANGTONG_TEST_POSTGRES CHANGTONG_KAFKA__BROKERS=$CHANGTONG_TEST_KAFKA
  export CHANGTONG_KAFKA__REPLICATION_FACTOR=1 CHANGTONG_KAFKA__MIN_INSYNC_REPLICAS=1
  measure 'PostgreSQL and Apache Kafka'
  exit
fi

echo "machine: $(nproc) cores, $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)," \
  "$(awk '/^MemTotal/ { print int($2 / 1048576) }' /proc/meminfo) GiB; the load and the engines run on it too"
measure 'embedded engines'
# shellcheck disable=SC2016 # expanded where the engines are
CHANGTONG_BENCH_PRODUCTION=yes CHANGTONG_TEST_FSYNC=on tests/scripts/engines.sh run bash -c '
  [ -z "$CHANGTONG_TEST_WITHOUT" ] || { echo "not measured: $CHANGTONG_TEST_WITHOUT_WHY" >&2; exit 1; }
  exec "$0" --seconds "$1" --concurrency "$2" --thousands "$3"' tests/scripts/bench.sh "$seconds" "$concurrency" "$thousands"
