#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET...]]: each fuzz target (all of them by default) for some seconds [180] under libFuzzer, which looks
# for inputs that reach code that no other did. Prints a table; what it found new lies in target/fuzz/corpus, what broke a
# promise in target/fuzz/broken. Ends with 1 if anything did.
set -euo pipefail

cd "$(dirname "$0")/.."
seconds=${1:-180}
shift || true
home=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
mapfile -t targets < <(find tests/fuzz/corpus -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
[ $# -eq 0 ] || targets=("$@")

# What libFuzzer needs of the compiler; no flag of a nightly. With --target build scripts and macros go without.
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
CARGO_TARGET_DIR=$home/build CARGO_PROFILE_DEV_OPT_LEVEL=1 RUSTFLAGS=$flags \
  cargo build --locked --package fuzz --features guided --bin guided --target "$host"
program=$home/build/$host/debug/guided

broken=0
report=$home/report.txt
mkdir -p "$home/broken"
printf '%-12s %12s %10s %8s %8s  %s\n' target executions per_second edges corpus outcome | tee "$report"
for target in "${targets[@]}"; do
  mkdir -p "$home/corpus/$target"
  log=$home/$target.log
  outcome=held
  FUZZ_TARGET=$target "$program" "$home/corpus/$target" "tests/fuzz/corpus/$target" -max_total_time="$seconds" \
    -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$home/broken/$target-" \
    >"$log" 2>&1 || { outcome=BROKEN broken=1; }
  stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  corpus=$(sed -n 's/.* corp: \([0-9]*\)\/.*/\1/p' "$log" | tail -n 1)
  printf '%-12s %12s %10s %8s %8s  %s\n' "$target" "$(stat number_of_executed_units)" \
    "$(stat average_exec_per_sec)" "${edges:-?}" "${corpus:-?}" "$outcome" | tee -a "$report"
done
exit "$broken"
