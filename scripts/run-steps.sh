#!/usr/bin/env bash
# run-steps.sh TARGET...: makes each target, stops at the first that fails, and says how long each took.
set -euo pipefail

cd "$(dirname "$0")/.."
done_steps=()

report() {
  printf '%s\n' "--- duration of each step" "${done_steps[@]}"
}

for step in "$@"; do
  echo "--- make $step"
  start=$SECONDS
  if ! make --no-print-directory "$step"; then
    done_steps+=("$(printf '%5d s  %s: FAILED' $((SECONDS - start)) "$step")")
    report
    exit 1
  fi
  done_steps+=("$(printf '%5d s  %s' $((SECONDS - start)) "$step")")
done
report
