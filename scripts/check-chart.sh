#!/usr/bin/env bash
# check-chart.sh: the Helm chart in k8s/, by helm 4, kubectl and the schemas of three Kubernetes versions.
# Renders it with its defaults, the production example, and every optional part off and on; then asserts that
# values which must be refused are refused. Needs scripts/install-tools.sh to have run.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tools=${ORCH_TOOLS:-$HOME/.cache/orchestrator/tools}
chart=$root/k8s
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH=$tools/bin:$PATH HELM_CACHE_HOME=$work/cache HELM_CONFIG_HOME=$work/config HELM_DATA_HOME=$work/data
export PYTHONDONTWRITEBYTECODE=1

python=$tools/venv/bin/python
versions=(1.30 1.33 1.35)

# check NAME EXISTING_SECRET [helm arguments]: lint, render, schemas, rules.
check() {
  local name=$1 secret=$2
  shift 2
  echo "check-chart: $name"
  helm lint --strict --quiet "$chart" "$@"
  helm template release "$chart" --namespace orchestrator "$@" >"$work/$name.yaml"
  local version
  for version in "${versions[@]}"; do
    kubernetes-validate --kubernetes-version "$version" --strict "$work/$name.yaml" >"$work/log" 2>&1 ||
      { grep -v '^INFO' "$work/log" && return 1; }
    echo "  valid in Kubernetes $version"
  done
  mkdir "$work/$name"
  mv "$work/$name.yaml" "$work/$name/all.yaml"
  echo 'resources: [all.yaml]' >"$work/$name/kustomization.yaml"
  kubectl kustomize "$work/$name" >/dev/null
  "$python" "$root/scripts/check_chart.py" "$work/$name/all.yaml" "$secret"
}

# refuse WORDS [helm arguments]: rendering fails, and the message holds these words.
refuse() {
  local words=$1 said
  shift
  if said=$(helm template release "$chart" "$@" 2>&1); then
    echo "check-chart: accepted what must be refused: $*" >&2
    return 1
  fi
  if ! grep -qF -- "$words" <<<"$said"; then
    printf 'check-chart: refused %s, but without saying "%s":\n%s\n' "$*" "$words" "$said" >&2
    return 1
  fi
  echo "  refused: $*"
}

check default orchestrator
check production orchestrator-production --values "$chart/values-production.yaml"
check minimal orchestrator --values "$chart/ci/minimal-values.yaml"
check everything - --values "$chart/ci/everything-values.yaml"

echo "check-chart: the rules notice what is broken"
"$python" "$root/scripts/check_chart_test.py" "$work/production/all.yaml" orchestrator-production

echo "check-chart: values that must be refused"
refuse "'ORCH_NO_SUCH' not allowed" --set settings.ORCH_NO_SUCH=1
refuse "/settings/ORCH_AGENT_EXECUTOR" --set settings.ORCH_AGENT_EXECUTOR=gpt
refuse "/settings/LOCAL_LLM_TIMEOUT_MS" --set settings.LOCAL_LLM_TIMEOUT_MS=soon
refuse "/settings/LOCAL_LLM_URL" --set settings.LOCAL_LLM_URL=http://user:secret@host
refuse "/settings/ORCH_SCHEDULE_ROLES" --set-string settings.ORCH_SCHEDULE_ROLES=boss
refuse "/secrets/existingSecret" --set secrets.existingSecret=
refuse "missing properties 'DATABASE_URL', 'AMQP_URL'" --set secrets.create=true
refuse "/secrets/values/DATABASE_URL" --set secrets.create=true --set secrets.values.DATABASE_URL=mysql://x --set secrets.values.AMQP_URL=amqp://x
refuse "'DATABASE_PASSWORD' not allowed" --set secrets.values.DATABASE_PASSWORD=x
refuse "/worker/groups/0/roles/0" --set 'worker.groups[0].name=a,worker.groups[0].roles[0]=boss'
refuse "/worker/groups/0" --set 'worker.groups[0].roles[0]=tester'
refuse "/apiGateway/replicas" --set apiGateway.replicas=-1
refuse "/worker/workspaceSize" --set worker.workspaceSize=much
refuse "/networkPolicy/database/ports" --set-json 'networkPolicy.database.ports=[]'
refuse "'gateway' not allowed" --set gateway.replicas=1

helm package "$chart" --destination "$work" >/dev/null
if tar -tzf "$work"/orchestrator-*.tgz | grep -E '/ci/|values-'; then
  echo "check-chart: the package holds what it should not" >&2
  exit 1
fi
echo "check-chart: ok"
