#!/usr/bin/env bash
# schemathesis.sh [quick|long]: tries the API with requests that schemathesis makes from its OpenAPI description, all checks
# on, on a fresh `orch dev`. quick is a minute; long goes on until it has sent ORCH_SCHEMATHESIS_CASES [50000] requests.
# ORCH_BINARY is the program [target/debug/orch]; ORCH_SCHEMATHESIS_SEED repeats a run.
set -euo pipefail

cd "$(dirname "$0")/.."
tier=${1:-quick}
tools=${ORCH_TOOLS:-$HOME/.cache/orchestrator/tools}
orch=$(realpath "${ORCH_BINARY:-${CARGO_TARGET_DIR:-target}/debug/orch}")
seed=${ORCH_SCHEMATHESIS_SEED:-$RANDOM}
cases=${ORCH_SCHEMATHESIS_CASES:-50000}
reports=$(realpath -m "${CARGO_TARGET_DIR:-target}/schemathesis")
say() { echo "schemathesis: $*" >&2; }

[ -x "$orch" ] || { say "$orch is not there: cargo build --package orch"; exit 1; }
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

export HYPOTHESIS_STORAGE_DIRECTORY=$work/hypothesis
export ORCH_DATA_DIR=$work/data ORCH_WORKSPACE_DIR=$work/workspaces ORCH_AUTH=required ORCH_PORT=0
export ORCH_AGENT_EXECUTOR=stub ORCH_RATE_LIMIT_PER_SECOND=0 ORCH_LOG=warn,actix_http=off ORCH_SHUTDOWN_GRACE_MS=2000
"$orch" migrate >/dev/null
key=$("$orch" keys create --name schemathesis --scope admin --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["secret"])')
"$orch" dev --json >"$work/announced" 2>"$work/log" &
server=$!
for _ in $(seq 300); do
  [ -s "$work/announced" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done
url=$(python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["url"])' <"$work/announced")

# It leaves its caches where it is started.
cd "$work"
run() {
  "$tools/bin/schemathesis" run "$url/openapi.json" --url "$url" \
    --header "Authorization: Bearer $key" --checks all --generation-database none --max-response-time 10 --request-timeout 20 \
    --report ndjson --report-dir "$reports" --no-color --workers "${ORCH_SCHEMATHESIS_WORKERS:-2}" "$@"
}

mkdir -p "$reports"
sent() { curl -s "$url/metrics" | awk '/^orchestrator_http_requests_seconds_count/ { n += $2 } END { print int(n) }'; }
round=0
while :; do
  say "round $round, --seed $((seed + round))"
  case $tier in
    # Its systematic cases take minutes to be made, so they are for the long tier.
    quick) run --seed "$((seed + round))" --phases fuzzing,stateful --max-examples 6 ;;
    long) run --seed "$((seed + round))" --max-examples 400 ;;
    *) say "use quick or long" && exit 2 ;;
  esac
  round=$((round + 1))
  [ "$tier" = long ] && [ "$(sent)" -lt "$cases" ] || break
done
requests=$(sent)
say "$requests requests, no findings"
[ "$requests" -ge 100 ] || { say "that is too few to say anything"; exit 1; }
if grep -q ERROR "$work/log"; then
  say "the log has errors:"
  grep ERROR "$work/log" | head >&2
  exit 1
fi
