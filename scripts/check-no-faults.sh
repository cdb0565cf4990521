#!/usr/bin/env bash
# check-no-faults.sh FOLDER: fails if a program in the folder has fault points, which only tests may.
set -euo pipefail

for program in api-gateway webhook-ingest worker scheduler orch; do
  for sign in ORCH_FAULT_ poison-the-worker store.create.before_commit queue.publish.before; do
    if grep -q -F "$sign" "$1/$program"; then
      echo "$1/$program has fault points: it holds $sign" >&2
      exit 1
    fi
  done
done
