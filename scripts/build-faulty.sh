#!/usr/bin/env bash
# build-faulty.sh: builds the programs with their fault points (docs/fault-points.md) into target/faulty, and leaves those
# in target/debug as they are without: checked, on both sides.
set -euo pipefail

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
programs=(api-gateway webhook-ingest worker scheduler orch)

# Cargo keeps both artefacts in deps/ and links the one that was asked for last into debug/.
plain() { cargo build --workspace --bins --locked --quiet; }

# Sources that change meanwhile are not in it.
mkdir -p "$target/faulty"
touch "$target/faulty/.begun"
trap plain EXIT
cargo build --workspace --bins --locked --features faults/inject
for program in "${programs[@]}"; do
  ln -f "$target/debug/$program" "$target/faulty/$program"
done
trap - EXIT
plain

for program in "${programs[@]}"; do
  grep -q ORCH_FAULT_ "$target/faulty/$program" || { echo "$program has no fault points" >&2; exit 1; }
done
scripts/check-no-faults.sh "$target/debug"
mv "$target/faulty/.begun" "$target/faulty/.built"
