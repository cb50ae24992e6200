#!/usr/bin/env bash
# Format, lints, purity of the crates and links of the documents; needs no engine. `make check`.
set -eu
cd "$(dirname "$0")/../.."

step() {
  local start=$SECONDS
  echo "--- $*"
  "$@"
  echo "    $((SECONDS - start)) s"
}

step tests/scripts/install.sh build
for tool in fmt clippy; do
  cargo "$tool" --version >/dev/null 2>&1 || { echo "check.sh: cargo $tool is missing (rustup component add)" >&2; exit 1; }
done
step cargo fmt --all --check
step cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
# Each alone: in a workspace build cargo unites features, and would hide that a pure crate needs an impure one's.
step cargo check --locked -p changtong-catalog
step cargo check --locked -p changtong-connectors
step tests/scripts/links.sh
