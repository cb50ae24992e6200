#!/usr/bin/env bash
# One private PostgreSQL cluster and one private Apache Kafka broker, on free loopback ports, for tests; and Avro of
# other makers, which reads and writes container files beside us, and clients of the Schema Registry that others wrote.
#
#   engines.sh run COMMAND …    start both, run the command with their addresses, stop both and remove all
#   engines.sh up DIR           start both and leave them running; DIR/env is to be sourced
#   engines.sh down DIR         stop what `up DIR` started and remove DIR
#
# The command finds in its environment:
#   CHANGTONG_TEST_POSTGRES     postgres://changtong@127.0.0.1:PORT/postgres (superuser, no password)
#   CHANGTONG_TEST_PG_BIN       the folder of the server's programs
#   CHANGTONG_TEST_KAFKA        127.0.0.1:PORT
#   CHANGTONG_TEST_KAFKA_LIBS   the folder of the broker's jars, for tests that start brokers of their own
#   CHANGTONG_TEST_FASTAVRO     the folder of fastavro (Python)
#   CHANGTONG_TEST_AVRO_TOOLS   the jar of Apache Avro's command line (Java)
#   CHANGTONG_TEST_REGISTRY_PYTHON, _NODE, _GO
#                               the folders of the registry's clients
#   CHANGTONG_TEST_WITHOUT      what could not be had of "kafka", "postgres", "fastavro", "avro-tools", "registry-python",
#                               "registry-node", "registry-go", with commas
#   CHANGTONG_TEST_WITHOUT_WHY  why, in a sentence for each
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir='' mode='' command_pid='' postgres_pid='' kafka_pid='' without='' why=''

say() { echo "engines.sh: $*" >&2; }

go_without() {
  without="${without:+$without,}$1"
  why="${why:+$why }$1: $2."
  say "$1 cannot be had: $2"
}

# Below the range that the system gives out by itself, so only another engine can take it between look and use.
free_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# wait_for SECONDS PID CHECK …: until the check holds; fails when the process ends or the time is up.
wait_for() {
  local end=$((SECONDS + $1)) pid=$2
  shift 2
  until "$@"; do
    kill -0 "$pid" 2>/dev/null || return 1
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# stop_process PID SIGNAL: gives it ten seconds, then ends it.
stop_process() {
  [ -n "$1" ] || return 0
  kill -s "$2" -- "$1" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 -- "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -s KILL -- "$1" 2>/dev/null || true
}

# become SIGNAL COMMAND …: this (sub)shell becomes an engine. In `run` the engine must not outlive this script,
# even one that is killed, so it gets the signal then; in `up` it must outlive it.
become() {
  local signal=$1
  shift
  if [ "$mode" = up ]; then exec setsid setpriv "${as_user[@]}" -- "$@"; fi
  exec setpriv "${as_user[@]}" --pdeathsig "$signal" -- "$@"
}

# --- PostgreSQL

postgres_bin() {
  local found
  for found in /usr/lib/postgresql/{15,16,17,18}/bin/initdb "$(command -v initdb || true)"; do
    [ -x "$found" ] && dirname "$(readlink -f "$found")" && return 0
  done
  return 1
}

postgres_answers() {
  [ "$("$pg_bin/psql" -h 127.0.0.1 -p "$postgres_port" -U changtong -d postgres -Atqc 'select 1' 2>/dev/null)" = 1 ]
}

start_postgres() {
  "$here/install.sh" postgres || { go_without postgres 'postgresql-15 could not be installed'; return; }
  pg_bin=$(postgres_bin) || { go_without postgres 'no initdb of version 15 or later'; return; }
  local data=$dir/postgres user=postgres as_user=()
  mkdir -p "$data"
  chmod 700 "$data"
  if [ "$(id -u)" = 0 ]; then # initdb and postgres refuse to run as root
    id postgres >/dev/null 2>&1 || user=nobody
    as_user=(--reuid "$user" --regid "$(id -g "$user")" --clear-groups)
    chown "$user" "$data"
  fi
  (cd / && setpriv "${as_user[@]}" -- "$pg_bin/initdb" -D "$data" -U changtong -A trust -E UTF8 --locale=C.UTF-8) \
    >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; go_without postgres 'initdb failed'; return; }
  for _ in 1 2 3; do
    postgres_port=$(free_port)
    # Each test has a database of its own. Only a loss of power could tell that nothing is synced; with it, removing a
    # database takes a second and more. Measurements set CHANGTONG_TEST_FSYNC=on.
    (cd / && become INT "$pg_bin/postgres" -D "$data" -h 127.0.0.1 -p "$postgres_port" -k "$data" \
      -c max_connections=200 -c shared_buffers=64MB -c "fsync=${CHANGTONG_TEST_FSYNC-off}") >>"$dir/postgres.log" 2>&1 </dev/null &
    postgres_pid=$!
    if wait_for 60 "$postgres_pid" postgres_answers; then return; fi
    stop_process "$postgres_pid" INT
  done
  postgres_pid=''
  cat "$dir/postgres.log" >&2
  go_without postgres 'the server did not start'
}

# --- Kafka

# Asks ApiVersions, as every client does first; the answer names our correlation id and no error.
kafka_answers() {
  grep -q 'Kafka Server started' "$dir/kafka/kafka.log" 2>/dev/null || return 1
  local answer
  answer=$(
    exec 3<>"/dev/tcp/127.0.0.1/$kafka_port" || exit 1
    printf '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' >&3
    timeout 5 head -c 10 <&3 | od -An -tx1 | tr -d ' \n'
  ) 2>/dev/null || return 1
  [ "${answer:8}" = 000000010000 ]
}

start_kafka() {
  "$here/install.sh" kafka || { go_without kafka 'a Java runtime or Maven could not be installed'; return; }
  local as_user=()
  kafka_libs=$("$here/kafka.sh" fetch) || { go_without kafka 'Apache Kafka could not be fetched'; return; }
  for _ in 1 2 3; do
    rm -rf "$dir/kafka"
    mkdir -p "$dir/kafka"
    kafka_port=$(free_port)
    "$here/kafka.sh" format "$dir/kafka" "$kafka_port" "$(free_port)" ||
      { go_without kafka 'its storage could not be formatted'; return; }
    become KILL "$here/kafka.sh" start "$dir/kafka" &
    kafka_pid=$!
    if wait_for 90 "$kafka_pid" kafka_answers; then return; fi
    stop_process "$kafka_pid" TERM
  done
  kafka_pid=''
  tail -n 60 "$dir/kafka/kafka.log" >&2
  go_without kafka 'the broker did not start'
}

# --- Avro of other makers

fetch_avro() {
  "$here/install.sh" avro || say 'a Java runtime, Maven or pip could not be installed'
  fastavro=$("$here/avro.sh" fetch fastavro) || { fastavro=''; go_without fastavro 'it could not be fetched'; }
  avro_tools=$("$here/avro.sh" fetch avro-tools) || { avro_tools=''; go_without avro-tools 'it could not be fetched'; }
}

# --- clients of the Schema Registry

fetch_registry_clients() {
  "$here/install.sh" registry || say 'pip, Node.js with npm, or Go could not be installed'
  local client folder
  for client in python node go; do
    if folder=$("$here/registry.sh" fetch "$client"); then
      export "CHANGTONG_TEST_REGISTRY_${client^^}=$folder"
    else
      go_without "registry-$client" 'it could not be fetched'
    fi
  done
}

# --- all

start_engines() {
  chmod 755 "$dir"
  start_postgres
  start_kafka
  fetch_avro
  fetch_registry_clients
  export CHANGTONG_TEST_WITHOUT="$without" CHANGTONG_TEST_WITHOUT_WHY="$why"
  if [ -n "$postgres_pid" ]; then
    export CHANGTONG_TEST_POSTGRES="postgres://changtong@127.0.0.1:$postgres_port/postgres"
    export CHANGTONG_TEST_PG_BIN="$pg_bin"
  fi
  if [ -n "$kafka_pid" ]; then
    export CHANGTONG_TEST_KAFKA="127.0.0.1:$kafka_port" CHANGTONG_TEST_KAFKA_LIBS="$kafka_libs"
  fi
  [ -z "$fastavro" ] || export CHANGTONG_TEST_FASTAVRO="$fastavro"
  [ -z "$avro_tools" ] || export CHANGTONG_TEST_AVRO_TOOLS="$avro_tools"
}

stop_engines() {
  trap - EXIT
  [ -z "$command_pid" ] || stop_process "-$command_pid" TERM
  stop_process "$kafka_pid" TERM
  stop_process "$postgres_pid" INT
  rm -rf "$dir"
}

run() {
  mode=run
  dir=$(mktemp -d "${TMPDIR:-/tmp}/changtong-engines.XXXXXX")
  trap stop_engines EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  start_engines
  # In a session of its own and waited for, so that a signal to us ends it and all that it started.
  setsid "$@" <&0 &
  command_pid=$!
  local status=0
  wait "$command_pid" || status=$?
  exit "$status"
}

up() {
  mode=up
  [ ! -e "$1/env" ] || { say "$1 is up already (see $1/env)"; exit 1; }
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  trap stop_engines EXIT
  trap 'exit 130' INT TERM HUP
  start_engines
  printf '%s\n' "$kafka_pid TERM" "$postgres_pid INT" | grep -v '^ ' >"$dir/pids" || true
  export -p | sed -n 's/^declare -x \(CHANGTONG_TEST_[A-Z_]*=\)/export \1/p' >"$dir/env.part"
  mv "$dir/env.part" "$dir/env"
  trap - EXIT
  say "running; source $dir/env"
}

down() {
  dir=$(cd "$1" && pwd)
  [ -f "$dir/pids" ] || { say "nothing was started in $1"; exit 1; }
  while read -r pid signal; do
    # A recycled pid is somebody else's: ours names its folder in its arguments.
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$dir/"; then stop_process "$pid" "$signal"; fi
  done <"$dir/pids"
  rm -rf "$dir"
}

case "${1-}" in
  run) [ "$#" -ge 2 ] || { say 'run needs a command'; exit 2; }; shift; run "$@" ;;
  up | down) [ "$#" = 2 ] || { say "$1 needs a folder"; exit 2; }; "$1" "$2" ;;
  *) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
