#!/usr/bin/env bash
# Builds the release binary and runs the main job on real data, or on the bundled subset where no registry can be
# reached. `make demo`; arguments are handed on to `changtong demo`.
set -eu
cd "$(dirname "$0")/../.."

tests/scripts/install.sh build
status=0
data=$(tests/scripts/data.sh) || status=$?
case "$status" in
  0) ;;
  3)
    data=config/examples/data
    echo "demo.sh: no registry can be reached, so this runs on the small bundled subset in $data" >&2
    ;;
  *) exit "$status" ;;
esac

cargo build --locked --release --bin changtong
exec "${CARGO_TARGET_DIR:-target}/release/changtong" demo --data "$data" "$@"
