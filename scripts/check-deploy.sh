#!/usr/bin/env bash
# check-deploy.sh: Dockerfile, compose file, CI workflow and shell scripts, without a Docker engine:
# linters, published schemas, and what deploy/, k8s/ and the program must agree on.
# Needs scripts/install-tools.sh to have run.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tools=${ORCH_TOOLS:-$HOME/.cache/orchestrator/tools}
export PATH=$tools/bin:$PATH
cd "$root"

echo "check-deploy: Dockerfile"
hadolint deploy/Dockerfile
echo "check-deploy: compose file and workflow against their schemas"
check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
echo "check-deploy: scripts"
shellcheck scripts/*.sh .ci/run
echo "check-deploy: images, compose, chart and program agree"
"$tools/venv/bin/python" scripts/check_deploy.py "$root"
echo "check-deploy: ok"
