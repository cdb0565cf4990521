#!/usr/bin/env bash
# run-dev.sh [orch dev's arguments]: builds `orch` and starts `orch dev`. Needs cargo, a C compiler and git.
set -euo pipefail

cd "$(dirname "$0")/.."

need() {
  command -v "$1" >/dev/null && return 0
  echo "run: $1 was not found. $2" >&2
  exit 1
}

need cargo "Install Rust 1.95 or newer with rustup (https://rustup.rs), then open a new shell."
need cc "Install a C compiler, on Debian: apt-get install gcc libc6-dev"
need git "Install git, on Debian: apt-get install git"

if [ ! -x "${CARGO_TARGET_DIR:-target}/debug/orch" ]; then
  echo "run: building orch. The first build compiles every dependency and takes about five minutes on two cores."
fi
# cargo becomes the program, so Ctrl-C and SIGTERM reach it.
exec cargo run --locked --package orch --bin orch -- dev "$@"
