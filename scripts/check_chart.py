#!/usr/bin/env python3
"""check_chart.py RENDERED.yaml [EXISTING_SECRET]: what a schema cannot say about the chart's objects.

Every rule is a function that yields one sentence for each violation. Exit 1 if there is any.
"""

import sys

import yaml

PORTS = {"api-gateway": 8080, "webhook-ingest": 8081, "worker": 8082, "scheduler": 8083}
COMPONENT = "app.kubernetes.io/component"
# The secret keys that a service may be given, and the ones that it must be.
SECRETS = {
    "api-gateway": ({"DATABASE_URL", "AMQP_URL"}, set()),
    "webhook-ingest": ({"DATABASE_URL", "AMQP_URL"}, {"GITHUB_WEBHOOK_SECRET"}),
    "worker": ({"DATABASE_URL", "AMQP_URL"}, {"LOCAL_LLM_API_KEY", "ORCH_GIT_TOKEN"}),
    "scheduler": ({"DATABASE_URL", "AMQP_URL"}, set()),
    "migrate": ({"DATABASE_URL"}, set()),
}
SECRET_KEYS = set.union(*(must | may for must, may in SECRETS.values()))


class Chart:
    """The rendered objects, by kind."""

    def __init__(self, objects, existing_secret):
        self.objects = [o for o in objects if o]
        self.existing_secret = existing_secret

    def of(self, *kinds):
        return [o for o in self.objects if o["kind"] in kinds]

    def pods(self):
        """(name, component, workload, pod template) of everything that makes pods."""
        for o in self.of("Deployment", "StatefulSet", "DaemonSet", "Job"):
            template = o["spec"]["template"]
            yield title(o), template["metadata"]["labels"][COMPONENT], o, template

    def has(self, kind, name):
        return any(o["metadata"]["name"] == name for o in self.of(kind))


def title(o):
    return f"{o['kind']}/{o['metadata']['name']}"


def selects(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def variables(container):
    return {e["name"]: e for e in container.get("env", [])}


def no_object_is_there_twice(chart):
    seen = set()
    for o in chart.objects:
        if title(o) in seen:
            yield f"{title(o)} is there twice"
        seen.add(title(o))


def all_services_are_there(chart):
    have = {component for _, component, _, _ in chart.pods()}
    for component in PORTS.keys() - have:
        yield f"no pods of {component}"


def selectors_find_their_pods(chart):
    for o in chart.of("Deployment"):
        taken = [name for name, _, _, t in chart.pods() if selects(o["spec"]["selector"], t["metadata"]["labels"])]
        if taken != [title(o)]:
            yield f"{title(o)}: its selector takes the pods of {taken}"
    for o in chart.of("PodDisruptionBudget"):
        if not any(selects(o["spec"]["selector"], t["metadata"]["labels"]) for _, _, _, t in chart.pods()):
            yield f"{title(o)}: selects no pod"


def services_reach_a_port(chart):
    for o in chart.of("Service"):
        wanted = {"matchLabels": o["spec"]["selector"]}
        hit = [(c, t) for _, c, _, t in chart.pods() if selects(wanted, t["metadata"]["labels"])]
        if len({c for c, _ in hit}) != 1:
            yield f"{title(o)}: selects the pods of {sorted({c for c, _ in hit})}, not of one service"
        for port in o["spec"]["ports"]:
            for _, template in hit:
                named = {p["name"] for c in containers(template) for p in c.get("ports", [])}
                if port["targetPort"] not in named:
                    yield f"{title(o)}: target port {port['targetPort']} is on no container"


def ingress_reaches_the_right_service(chart):
    for o in chart.of("Ingress"):
        for path in (p for rule in o["spec"]["rules"] for p in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            service = next((s for s in chart.of("Service") if s["metadata"]["name"] == backend["name"]), None)
            if service is None or backend["port"]["name"] not in {p["name"] for p in service["spec"]["ports"]}:
                yield f"{title(o)}: {path['path']} leads to {backend}, which is not there"
                continue
            right = "webhook-ingest" if path["path"] == "/webhooks/github" else "api-gateway"
            if service["spec"]["selector"][COMPONENT] != right:
                yield f"{title(o)}: {path['path']} leads to {backend['name']}, not to {right}"


def pods_are_restricted(chart):
    """The Pod Security Standard "restricted", a read-only root and no token, without exception."""
    for name, _, _, template in chart.pods():
        spec = template["spec"]
        for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            if spec.get(field):
                yield f"{name}: {field}"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: mounts a service account token"
        pod = spec.get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or pod.get("runAsUser") != 10001:
            yield f"{name}: does not run as user 10001"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: has no seccomp profile"
        for c in containers(template):
            security = c.get("securityContext", {})
            if security.get("privileged") or security.get("allowPrivilegeEscalation") is not False:
                yield f"{name}/{c['name']}: may gain privileges"
            if security.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name}/{c['name']}: keeps capabilities"
            if security.get("readOnlyRootFilesystem") is not True:
                yield f"{name}/{c['name']}: can write to its image"
            if {"runAsUser", "runAsNonRoot", "seccompProfile"} & security.keys():
                yield f"{name}/{c['name']}: overrides the pod's identity"
            if any("hostPort" in p for p in c.get("ports", [])):
                yield f"{name}/{c['name']}: takes a port of the node"
    for o in chart.of("ServiceAccount"):
        if o.get("automountServiceAccountToken") is not False:
            yield f"{title(o)}: mounts its token"


def volumes_are_bounded_and_known(chart):
    for name, _, _, template in chart.pods():
        volumes = {v["name"]: v for v in template["spec"].get("volumes", [])}
        for v in volumes.values():
            if "sizeLimit" not in v.get("emptyDir", {}):
                yield f"{name}: volume {v['name']} is no emptyDir with a size limit"
        for c in containers(template):
            mounts = {m["name"]: m["mountPath"] for m in c.get("volumeMounts", [])}
            for mount in mounts.keys() - volumes.keys():
                yield f"{name}/{c['name']}: mounts {mount}, which is not there"
            if "/tmp" not in mounts.values():
                yield f"{name}/{c['name']}: has no /tmp that it can write to"


def containers_have_resources(chart):
    for name, _, _, template in chart.pods():
        for c in containers(template):
            resources = c.get("resources", {})
            if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
                yield f"{name}/{c['name']}: lacks requests for CPU and memory or a limit on memory"


def services_are_probed(chart):
    paths = {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}
    for name, component, o, template in chart.pods():
        if o["kind"] != "Deployment":
            continue
        container = template["spec"]["containers"][0]
        if container.get("ports") != [{"name": "http", "containerPort": PORTS[component]}]:
            yield f"{name}: does not listen on http {PORTS[component]}"
        if variables(container).get("ORCH_PORT", {}).get("value") != str(PORTS[component]):
            yield f"{name}: ORCH_PORT is not its container port"
        for probe, path in paths.items():
            if container.get(probe, {}).get("httpGet") != {"path": path, "port": "http"}:
                yield f"{name}: its {probe} does not ask {path} on http"


def pods_have_time_to_end(chart):
    for name, component, o, template in chart.pods():
        if o["kind"] != "Deployment":
            continue
        env = variables(template["spec"]["containers"][0])
        needed = int(env["ORCH_DRAIN_DELAY_MS"]["value"]) + int(env["ORCH_SHUTDOWN_GRACE_MS"]["value"])
        if template["spec"]["terminationGracePeriodSeconds"] * 1000 <= needed:
            yield f"{name}: is killed before its grace of {needed} ms is over"


def secrets_come_from_the_secret(chart):
    for name, component, _, template in chart.pods():
        must, may = SECRETS[component]
        given = set()
        for c in containers(template):
            for e in c.get("env", []):
                ref = e.get("valueFrom", {}).get("secretKeyRef")
                if e["name"] in SECRET_KEYS and ref is None:
                    yield f"{name}: {e['name']} stands in the pod"
                if ref:
                    given.add(e["name"])
                    if ref["name"] != chart.existing_secret and not chart.has("Secret", ref["name"]):
                        yield f"{name}: Secret {ref['name']} is not there"
                    if ref["key"] != e["name"] or bool(ref.get("optional")) != (e["name"] not in must):
                        yield f"{name}: reads {e['name']} wrongly"
            if any("secretRef" in e for e in c.get("envFrom", [])):
                yield f"{name}: is given a whole Secret"
        if not must <= given <= must | may:
            yield f"{name}: is given the secrets {sorted(given)}"
    for o in chart.of("ConfigMap"):
        for key in SECRET_KEYS & o["data"].keys():
            yield f"{title(o)}: holds {key}"


def settings_are_those_of_a_cluster(chart):
    for name, _, o, template in chart.pods():
        if o["kind"] != "Deployment":
            continue
        sources = [e["configMapRef"]["name"] for e in template["spec"]["containers"][0].get("envFrom", [])]
        data = {k: v for m in chart.of("ConfigMap") if m["metadata"]["name"] in sources for k, v in m["data"].items()}
        if (data.get("ORCH_TASK_STORE"), data.get("TASK_QUEUE")) != ("postgres", "rabbitmq"):
            yield f"{name}: is not set to postgres and rabbitmq"
        if not all(isinstance(v, str) and "e+" not in v for v in data.values()):
            yield f"{name}: a setting is no text: {data}"


def the_network_is_closed(chart):
    policies = chart.of("NetworkPolicy")
    if not policies:
        return
    for name, component, _, template in chart.pods():
        hits = [p["spec"] for p in policies if selects(p["spec"]["podSelector"], template["metadata"]["labels"])]
        if not any(set(p["policyTypes"]) == {"Ingress", "Egress"} and not {"ingress", "egress"} & p.keys() for p in hits):
            yield f"{name}: is under no default deny"
        ports = {x["port"] for p in hits for rule in p.get("egress", []) for x in rule["ports"]}
        if 53 not in ports:
            yield f"{name}: cannot resolve names"
        if any(not rule.get("ports") for p in hits for way in ("ingress", "egress") for rule in p.get(way, [])):
            yield f"{name}: a rule opens every port"
        opened = {x["port"] for p in hits for rule in p.get("ingress", []) for x in rule["ports"]}
        if opened != ({"http"} if component in PORTS else set()):
            yield f"{name}: lets in {opened}"


def autoscalers_have_a_target(chart):
    deployments = {o["metadata"]["name"]: o for o in chart.of("Deployment")}
    scaled = {o["spec"]["scaleTargetRef"]["name"] for o in chart.of("HorizontalPodAutoscaler")}
    for name in scaled - deployments.keys():
        yield f"the autoscaler's target {name} is not there"
    for name, o in deployments.items():
        if (name in scaled) == ("replicas" in o["spec"]):
            yield f"{title(o)}: replicas must be set by either the chart or an autoscaler"


def the_migration_goes_first(chart):
    for name, component, o, template in chart.pods():
        if component != "migrate":
            continue
        if o["metadata"]["annotations"]["helm.sh/hook"] != "pre-install,pre-upgrade":
            yield f"{name}: does not run before the services"
        if template["spec"]["containers"][0]["args"] != ["migrate"]:
            yield f"{name}: does not migrate"
        account = next(a for a in chart.of("ServiceAccount") if a["metadata"]["name"] == template["spec"]["serviceAccountName"])
        if "helm.sh/hook" not in account["metadata"].get("annotations", {}):
            yield f"{name}: its account is made after it"


RULES = [
    no_object_is_there_twice,
    all_services_are_there,
    selectors_find_their_pods,
    services_reach_a_port,
    ingress_reaches_the_right_service,
    pods_are_restricted,
    volumes_are_bounded_and_known,
    containers_have_resources,
    services_are_probed,
    pods_have_time_to_end,
    secrets_come_from_the_secret,
    settings_are_those_of_a_cluster,
    the_network_is_closed,
    autoscalers_have_a_target,
    the_migration_goes_first,
]


def violations(objects, existing_secret):
    """(rule's name, sentence) of everything that is wrong."""
    chart = Chart(objects, existing_secret)
    return [(rule.__name__, sentence) for rule in RULES for sentence in rule(chart)]


def main():
    with open(sys.argv[1], encoding="utf-8") as rendered:
        objects = list(yaml.safe_load_all(rendered))
    wrong = violations(objects, sys.argv[2] if len(sys.argv) > 2 else None)
    for rule, sentence in wrong:
        print(f"  {rule}: {sentence}")
    print(f"  {len(RULES)} rules over {len(objects)} objects: {len(wrong)} violations")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
