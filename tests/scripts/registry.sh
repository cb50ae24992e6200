#!/usr/bin/env bash
# Clients of schema registries that others wrote, for tests, kept in a cache folder: confluent-kafka (Python),
# @confluentinc/schemaregistry (Node.js) and franz-go's sr (Go).
#
#   registry.sh fetch python|node|go       fetch it unless it is there; print its folder
#   registry.sh complete python|node|go    succeed if it is there
#
# Their versions, and those of all that they need, are pinned in tests/registry.
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pins=$here/../registry
cache=${XDG_CACHE_HOME:-$HOME/.cache}/changtong

# Other pins are other folders; what Python compiled is of one Python.
digest() { cat "$@" | sha256sum | cut -c 1-16; }
python_tag() { python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

place() {
  case "$1" in
    python) echo "$cache/registry-python$(python_tag)-$(digest "$pins/python/requirements.txt")" ;;
    node) echo "$cache/registry-node-$(digest "$pins/node/package.json" "$pins/node/package-lock.json")" ;;
    go) echo "$cache/registry-go-$(digest "$pins/go/go.mod" "$pins/go/go.sum")" ;;
    *) return 2 ;;
  esac
}

complete() { [ -d "$(place "$1")" ]; }

# Fetched beside its place and moved there whole, so that what is there is complete.
fetch_once() {
  local part
  part=$(mktemp -d "$cache/part.XXXXXX")
  if fetch_into "$1" "$part/whole" >"$part.log" 2>&1 && mv "$part/whole" "$(place "$1")"; then
    rm -rf "$part" "$part.log"
    return 0
  fi
  tail -n 30 "$part.log" >&2
  # Go writes its modules without leave to write.
  chmod -R u+w "$part"
  rm -rf "$part" "$part.log"
  return 1
}

fetch_into() {
  mkdir "$2"
  case "$1" in
    python)
      timeout 600 python3 -m pip install --quiet --no-deps --target "$2" -r "$pins/python/requirements.txt"
      ;;
    node)
      cp "$pins/node/package.json" "$pins/node/package-lock.json" "$2"
      (cd "$2" && timeout 600 npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
      ;;
    go)
      # Built once here, so that no test waits for Go's own library.
      (cd "$pins/go" && GOMODCACHE=$2/modules GOCACHE=$2/build GOFLAGS=-mod=readonly GOTOOLCHAIN=local \
        timeout 600 go build github.com/twmb/franz-go/pkg/sr)
      ;;
  esac
}

fetch() {
  mkdir -p "$cache"
  for try in 1 2 3; do
    if complete "$1"; then
      place "$1"
      return 0
    fi
    echo "registry.sh: fetching the client for $1 (try $try of 3)" >&2
    fetch_once "$1" || sleep "$((try * 3))"
  done
  complete "$1" && place "$1" && return 0
  echo "registry.sh: the client for $1 could not be fetched" >&2
  return 1
}

case "${1-} ${2-}" in
  'fetch python' | 'fetch node' | 'fetch go') fetch "$2" ;;
  'complete python' | 'complete node' | 'complete go') complete "$2" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
