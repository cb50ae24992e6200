#!/usr/bin/env bash
# Installs what is missing of the Debian packages that building and testing need.
#
#   install.sh build|postgres|kafka|avro|registry|data|clients …
#
# A machine that has the tools needs neither root nor apt-get. Where something is missing and cannot be
# installed, it is named and the exit code is 1.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }
have_library() { have pkg-config && pkg-config --exists "$1"; }

packages=()
need() { packages+=("$@"); }

# librdkafka is built from source with its own configure script, SQLite and zstd with the C compiler.
for_build() {
  have cc || need gcc libc6-dev
  have g++ || need g++
  have make || need make
  have perl || need perl
  have pkg-config || need pkg-config
  have_library openssl || need libssl-dev
  have_library zlib || need zlib1g-dev
}

for_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb || need postgresql-15
}

for_kafka() {
  have java || need openjdk-17-jre-headless
  "$here/kafka.sh" complete || have mvn || need maven
}

for_avro() {
  have java || need openjdk-17-jre-headless
  "$here/avro.sh" complete avro-tools || have mvn || need maven
  have python3 || need python3
  "$here/avro.sh" complete fastavro || python3 -m pip --version >/dev/null 2>&1 || need python3-pip
}

# Clients of the Schema Registry. A machine whose Go or Node.js is too old for them goes without, and says so.
for_registry() {
  have python3 || need python3
  "$here/registry.sh" complete python || python3 -m pip --version >/dev/null 2>&1 || need python3-pip
  have node || need nodejs
  "$here/registry.sh" complete node || have npm || need npm
  have go || need golang-go
}

for_data() {
  python3 -m pip --version >/dev/null 2>&1 || need python3 python3-pip
  have npm || need npm
}

# The programs of docs/clients are run as they stand there; Java's from its source, which needs the compiler.
for_clients() {
  have python3 || need python3
  have curl || need curl
  have jq || need jq
  java --list-modules 2>/dev/null | grep -q '^jdk\.compiler@' || need openjdk-17-jdk-headless
}

install_packages() {
  echo "installing: ${packages[*]}" >&2
  local sudo=() log
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || { echo "install.sh: not root, so please install: ${packages[*]}" >&2; return 1; }
    sudo=(sudo -n)
  fi
  have apt-get || { echo "install.sh: no apt-get here, so please install: ${packages[*]}" >&2; return 1; }
  log=$(mktemp)
  for try in 1 2 3; do
    if "${sudo[@]}" apt-get update >"$log" 2>&1 &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${packages[@]}" >>"$log" 2>&1; then
      rm -f "$log"
      return 0
    fi
    sleep "$((try * 3))"
  done
  cat "$log" >&2
  rm -f "$log"
  echo "install.sh: could not install ${packages[*]}" >&2
  return 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for group in "$@"; do
  case "$group" in
    build | postgres | kafka | avro | registry | data | clients) "for_$group" ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
[ "${#packages[@]}" = 0 ] || install_packages
