#!/usr/bin/env python3
"""check_chart_test.py RENDERED.yaml EXISTING_SECRET: every rule of check_chart.py can fail.

Breaks the sound objects in one way at a time and expects the rule that is about it to say so.
"""

import copy
import sys

import yaml

from check_chart import COMPONENT, RULES, violations


def find(objects, kind, component=None):
    for o in objects:
        if o["kind"] == kind and component in (None, o["metadata"]["labels"][COMPONENT]):
            return o
    raise LookupError(f"{kind} of {component}")


def pod(objects, component="worker"):
    return find(objects, "Deployment", component)["spec"]["template"]["spec"]


def container(objects, component="worker"):
    return pod(objects, component)["containers"][0]


def drop(objects, kind):
    objects[:] = [o for o in objects if o["kind"] != kind]


def secret_in_the_open(objects):
    env = container(objects)["env"]
    env[:] = [{"name": e["name"], "value": "x"} if e["name"] == "DATABASE_URL" else e for e in env]


def foreign_secret(objects):
    ref = {"name": "orchestrator", "key": "ORCH_GIT_TOKEN", "optional": True}
    container(objects, "api-gateway")["env"].append({"name": "ORCH_GIT_TOKEN", "valueFrom": {"secretKeyRef": ref}})


def no_scheduler(objects):
    objects.remove(find(objects, "Deployment", "scheduler"))


def ingress_to_the_api(objects):
    paths = find(objects, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    paths[0]["backend"] = paths[1]["backend"]


def wide_selector(objects):
    labels = find(objects, "Deployment", "api-gateway")["spec"]["selector"]["matchLabels"]
    del labels[COMPONENT]


def open_egress(objects):
    for o in objects:
        if o["kind"] == "NetworkPolicy" and "egress" in o["spec"]:
            o["spec"]["egress"][0]["ports"] = []


# What is done to the objects, and the rule that must notice.
CASES = [
    (lambda o: o.append(copy.deepcopy(o[0])), "no_object_is_there_twice"),
    (no_scheduler, "all_services_are_there"),
    (lambda o: find(o, "Deployment", "worker")["spec"]["selector"]["matchLabels"].update(x="y"), "selectors_find_their_pods"),
    (wide_selector, "selectors_find_their_pods"),
    (lambda o: find(o, "Service")["spec"]["ports"][0].update(targetPort="web"), "services_reach_a_port"),
    (lambda o: find(o, "Service")["spec"]["selector"].update({COMPONENT: "nobody"}), "services_reach_a_port"),
    (ingress_to_the_api, "ingress_reaches_the_right_service"),
    (lambda o: pod(o).update(hostNetwork=True), "pods_are_restricted"),
    (lambda o: pod(o).update(automountServiceAccountToken=True), "pods_are_restricted"),
    (lambda o: pod(o)["securityContext"].update(runAsUser=0), "pods_are_restricted"),
    (lambda o: container(o)["securityContext"].update(readOnlyRootFilesystem=False), "pods_are_restricted"),
    (lambda o: container(o)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]), "pods_are_restricted"),
    (lambda o: pod(o)["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volumes_are_bounded_and_known"),
    (lambda o: pod(o)["volumes"].pop(), "volumes_are_bounded_and_known"),
    (lambda o: container(o).pop("resources"), "containers_have_resources"),
    (lambda o: container(o)["readinessProbe"]["httpGet"].update(path="/health"), "services_are_probed"),
    (lambda o: container(o)["ports"][0].update(containerPort=80), "services_are_probed"),
    (lambda o: pod(o).update(terminationGracePeriodSeconds=30), "pods_have_time_to_end"),
    (secret_in_the_open, "secrets_come_from_the_secret"),
    (foreign_secret, "secrets_come_from_the_secret"),
    (lambda o: find(o, "ConfigMap")["data"].update(AMQP_URL="x"), "secrets_come_from_the_secret"),
    (lambda o: find(o, "ConfigMap")["data"].update(TASK_QUEUE="memory"), "settings_are_those_of_a_cluster"),
    (lambda o: find(o, "ConfigMap")["data"].update(LOCAL_LLM_TIMEOUT_MS="1e+07"), "settings_are_those_of_a_cluster"),
    (lambda o: o.remove(find(o, "NetworkPolicy")), "the_network_is_closed"),
    (open_egress, "the_network_is_closed"),
    (lambda o: drop(o, "HorizontalPodAutoscaler"), "autoscalers_have_a_target"),
    (lambda o: find(o, "Job")["metadata"]["annotations"].update({"helm.sh/hook": "post-install"}), "the_migration_goes_first"),
]


def main():
    with open(sys.argv[1], encoding="utf-8") as rendered:
        sound = list(yaml.safe_load_all(rendered))
    failed = violations(sound, sys.argv[2])
    for break_it, rule in CASES:
        objects = copy.deepcopy(sound)
        break_it(objects)
        if rule not in {name for name, _ in violations(objects, sys.argv[2])}:
            failed.append((rule, "did not notice what was broken for it"))
    for rule in {r.__name__ for r in RULES} - {rule for _, rule in CASES}:
        failed.append((rule, "has no case that breaks it"))
    for rule, sentence in failed:
        print(f"  {rule}: {sentence}")
    print(f"  {len(CASES)} ways to break the chart: {len(failed)} not noticed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
