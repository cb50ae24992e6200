#!/usr/bin/env bash
# Everything that must hold: what check.sh checks, then every test of the workspace with both engines. `make test`.
#
# The last line is "N passed, N failed"; the line before names any engine that could not be had.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

if [ "${CI-}" = true ]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/changtong/target}
  export CARGO_INCREMENTAL=0 # nothing here is built twice with a small change between
  mkdir -p "$CARGO_TARGET_DIR"
  # Nothing else ever removes what earlier commits left there.
  [ "$(du -sm "$CARGO_TARGET_DIR" | cut -f 1)" -lt 25000 ] || rm -rf "$CARGO_TARGET_DIR"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

run_tests() {
  # shellcheck disable=SC2016 # expanded in the engines' environment, to say what was missing there
  tests/scripts/engines.sh run bash -c '
    # Most of the time tests wait for servers that they started.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}
    cargo test --locked --workspace --all-features --no-fail-fast || status=$?
    echo "engines not had: ${CHANGTONG_TEST_WITHOUT_WHY:-none}"
    exit "${status-0}"'
}

# sum WORD: over the "test result:" lines of all test binaries.
sum() { awk -v word="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) n += $(i - 1) } END { print n + 0 }' "$log"; }

status=0
tests/scripts/check.sh || status=$?
[ "$status" != 0 ] || tests/scripts/install.sh clients || status=$?
if [ "$status" = 0 ]; then
  echo '--- cargo test'
  run_tests 2>&1 | tee "$log" || status=$?
fi

passed=$(sum passed) failed=$(sum failed) skipped=$(sum ignored)
# A lint, or a test binary that does not build or dies, has no result line; a run of nothing proves nothing.
if [ "$status" = 0 ] && [ "$passed" = 0 ]; then status=1; fi
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi

echo
echo "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
grep '^engines not had:' "$log" | tail -n 1 || true
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
exit "$status"
