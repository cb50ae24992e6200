#!/usr/bin/env bash
# Apache Kafka for tests: its jars, kept in a cache folder, and the settings of a one-node broker.
#
#   kafka.sh fetch                          fetch the jars unless they are all there; print their folder
#   kafka.sh complete                       succeed if the jars are all there
#   kafka.sh format DIR PORT CONTROLLER [SCRAM]   write DIR/server.properties and format DIR/logs, perhaps with a user
#   kafka.sh start DIR [JAVA OPTION …]      become the broker of a formatted DIR (exec: its pid is this one's)
#   kafka.sh join CLUSTER DIR [JAVA OPTION …]   the same by a DIR/server.properties that is there; DIR/logs is formatted
#                                           for the cluster of that id unless it is already
set -eu

version=4.1.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=${XDG_CACHE_HOME:-$HOME/.cache}/changtong/kafka-$version

# The list is written last, so a folder with a list was once whole; every jar on it must still be there.
complete() {
  [ -s "$libs/jars.list" ] || return 1
  while read -r jar; do
    [ -s "$libs/$jar" ] || return 1
  done <"$libs/jars.list"
}

fetch_once() {
  rm -f "$libs/jars.list"
  local output
  output=$(timeout 900 mvn -q -B -f "$here/../kafka/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$libs" 2>&1) || { echo "$output" >&2; return 1; }
  [ -s "$libs/kafka_2.13-$version.jar" ] || return 1
  (cd "$libs" && printf '%s\n' *.jar >jars.list.part && mv jars.list.part jars.list)
}

fetch() {
  mkdir -p "$libs"
  for try in 1 2 3; do
    if complete; then
      echo "$libs"
      return 0
    fi
    command -v mvn >/dev/null || { echo "kafka.sh: mvn is missing (Debian package maven)" >&2; return 1; }
    echo "kafka.sh: fetching Apache Kafka $version (try $try of 3)" >&2
    fetch_once || sleep "$((try * 3))"
  done
  complete && echo "$libs" && return 0
  echo "kafka.sh: Apache Kafka $version could not be fetched" >&2
  return 1
}

# Sessions are long because test machines are busy; deletion and shutdown are quick because tests wait for them.
write_settings() {
  cat >"$1/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$1/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.session.timeout.ms=30000
log.cleaner.dedupe.buffer.size=8388608
PROPERTIES
}

# format_for CLUSTER DIR [SCRAM]
format_for() {
  mkdir -p "$2/logs"
  java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$libs/*" kafka.tools.StorageTool \
    format -t "$1" -c "$2/server.properties" ${3:+--add-scram "$3"} >"$2/format.log" 2>&1 || { cat "$2/format.log" >&2; return 1; }
}

format() {
  mkdir -p "$1"
  write_settings "$1" "$2" "$3"
  local uuid
  uuid=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22) # never a leading "-"
  format_for "$uuid" "$1" "${4-}"
}

# become_broker DIR [JAVA OPTION …]
become_broker() {
  local dir=$1
  shift
  exec java -Xmx512m -XX:+UseSerialGC "$@" -cp "$libs/*" kafka.Kafka "$dir/server.properties" \
    >>"$dir/kafka.log" 2>&1 </dev/null
}

case "${1-}" in
  fetch) fetch ;;
  complete) complete ;;
  format) format "$2" "$3" "$4" "${5-}" ;;
  start)
    shift
    become_broker "$@"
    ;;
  join)
    [ -e "$3/logs/meta.properties" ] || format_for "$2" "$3"
    shift 2
    become_broker "$@"
    ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
