#!/usr/bin/env bash
# Measures a release server on this machine with `changtong bench`: on the embedded engines, then on PostgreSQL and
# Apache Kafka. `make bench`. Figures are also appended to a file of JSON documents, one a line.
#
#   bench.sh [--seconds N] [--concurrency N] [--thousands N] [--repeat N] [--minutes N] [--json FILE]
#            [--benches "publish deliver catch-up"]
#
# Further benches: producer (share of a bare producer's rate, Kafka only), registry (schemas by id), versions (memory
# of 10,000 schemas), live (event streams, 1,000 waiting readers), keys (how long refusing a wrong key takes, 100,000 of
# each kind, on a server without limits on guesses), two of functions alone: codec and decide, and two that
# take long: crowd (10,000 entries, 100,000 grants, 1,000 waiting readers) and mixed (--minutes).
set -eu
cd "$(dirname "$0")/../.."

seconds=20 concurrency=16 thousands=1000 repeat=3 minutes=20 benches='publish deliver catch-up' json=${CARGO_TARGET_DIR:-target}/bench.json
while [ "$#" -gt 0 ]; do
  case "$1" in
    --seconds) seconds=$2 ;;
    --concurrency) concurrency=$2 ;;
    --thousands) thousands=$2 ;;
    --repeat) repeat=$2 ;;
    --minutes) minutes=$2 ;;
    --benches) benches=$2 ;;
    --json) json=$2 ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

# Functions alone need no server.
of_servers=''
for name in $benches; do
  case "$name" in
    codec | decide) cargo bench --locked -p changtong-connectors --all-features --bench "$name" ;;
    *) of_servers="$of_servers $name" ;;
  esac
done
benches=$of_servers
[ -n "$benches" ] || exit 0

# Guesses are limited, and these are nothing else.
case " $benches " in *' keys '*) export CHANGTONG_HTTP__REFUSED_PER_ADDRESS='' CHANGTONG_HTTP__REFUSED_PER_KEY='' ;; esac

tests/scripts/install.sh build
cargo build --locked --release --bin changtong
binary=${CARGO_TARGET_DIR:-target}/release/changtong
# A thousand waiting readers are as many connections, at both ends.
ulimit -n "$(ulimit -Hn)"

server='' folder=''
tidy() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  [ -z "$folder" ] || rm -rf "$folder"
}
trap tidy EXIT

# A bench that fails does not keep the others from running.
bench() {
  echo
  "$binary" bench --as authority --json "$json" "$@" || status=1
}

publish() {
  bench publish --pid "$server" --repeat "$repeat" --records 1 --concurrency 64 --seconds "$seconds"
  # More than one agency may do by default.
  bench publish --pid "$server" --repeat "$repeat" --records 1 --concurrency 256 --resources 4 --seconds "$seconds"
  for records in 100 1000; do
    bench publish --pid "$server" --repeat "$repeat" --records "$records" --concurrency "$concurrency" \
      --seconds "$seconds"
  done
}

deliver() {
  for format in ndjson avro; do
    for readers in 1 4; do
      bench deliver --pid "$server" --repeat "$repeat" --format "$format" --concurrency "$readers" \
        --thousands "$thousands"
    done
  done
}

producer() {
  if [ -z "${CHANGTONG_KAFKA__BROKERS-}" ]; then
    echo
    echo "producer: measured with Apache Kafka only"
    return
  fi
  bench producer --pid "$server" --repeat "$repeat" --brokers "$CHANGTONG_KAFKA__BROKERS" --seconds "$seconds" \
    --concurrency "$concurrency"
}

# Starts a server on the folder, on the port it had before, and waits until it is ready; sets `ready_ms` and `port`.
start() {
  local started ready
  started=$(date +%s%N)
  CHANGTONG_HTTP__LISTEN=127.0.0.1:$port CHANGTONG_REGISTRY__LISTEN=127.0.0.1:0 \
    CHANGTONG_OPERATIONS__LISTEN=127.0.0.1:0 CHANGTONG_TELEMETRY__FILTER=warn,changtong::serve=info \
    CHANGTONG_HTTP__CONNECTIONS=4096 "$binary" serve --data "$folder/data" >"$folder/log" 2>&1 &
  server=$!
  until port=$(sed -n 's/.*serving api=127.0.0.1:\([0-9]*\) .*/\1/p' "$folder/log") && [ -n "$port" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; return 1; }
    sleep 0.02
  done
  ready=$(date +%s%N)
  ready_ms=$(((ready - started) / 1000000))
}

again() {
  stop
  start
  echo
  echo "started again on all of these, before anything is asked: ready in $ready_ms ms, $(resident) MiB"
}

stop() {
  kill -TERM "$server"
  wait "$server" || status=1
  server=''
}

resident() {
  awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$server/status"
}

# measure NAME: on a server of its own, with what the environment says of engines.
measure() {
  local status=0 name port=0 ready_ms=0
  folder=$(mktemp -d)
  export CHANGTONG_PROFILES=$folder/profiles.toml
  start
  sleep 2
  echo
  echo "=== $1: ready in $ready_ms ms on an empty store, $(resident) MiB when idle"
  for name in $benches; do
    case "$name" in
      publish) publish ;;
      deliver) deliver ;;
      producer) producer ;;
      catch-up) bench catch-up --pid "$server" --repeat "$repeat" --seconds "$seconds" --thousands "$thousands" ;;
      registry) bench registry --pid "$server" --repeat "$repeat" --seconds "$seconds" ;;
      keys) bench keys --repeat "$repeat" ;;
      live) bench live --pid "$server" --repeat "$repeat" --seconds "$seconds" ;;
      crowd)
        bench crowd --pid "$server"
        again
        ;;
      versions)
        bench versions --pid "$server"
        again
        ;;
      mixed) bench mixed --pid "$server" --minutes "$minutes" ;;
      *) echo "there is no bench $name" >&2; status=2 ;;
    esac
  done
  stop
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

measure 'embedded engines'
# shellcheck disable=SC2016 # expanded where the engines are
CHANGTONG_BENCH_PRODUCTION=yes CHANGTONG_TEST_FSYNC=on tests/scripts/engines.sh run bash -c '
  case ",$CHANGTONG_TEST_WITHOUT," in
    *,kafka,* | *,postgres,*) echo "not measured: $CHANGTONG_TEST_WITHOUT_WHY" >&2; exit 1 ;;
  esac
  exec tests/scripts/bench.sh "$@"' bench --seconds "$seconds" --concurrency "$concurrency" --thousands "$thousands" \
  --repeat "$repeat" --minutes "$minutes" --benches "$benches" --json "$json"
