#!/usr/bin/env python3
"""check_deploy.py ROOT: deploy/ and k8s/ agree with each other and with the program.

Images are targets of the Dockerfile, what compose waits for is there and healthy in a way that it defines, variables
in braces are in .env.example, and every environment variable that is set is one that the program reads.
"""

import json
import pathlib
import re
import sys

import yaml

SERVICES = {"api-gateway", "webhook-ingest", "worker", "scheduler", "orch"}
NAME = re.compile(r"\b(?:ORCH|LOCAL_LLM|ALLOW|GITHUB|TASK|DATABASE|AMQP)_[A-Z0-9_]+\b")


def dockerfile_stages(root):
    """Stage name -> its instructions, of deploy/Dockerfile."""
    stages, current = {}, None
    text = (root / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        start = re.match(r"FROM\s+(\S+)\s+AS\s+(\S+)", line)
        if start:
            current = start[2]
            stages[current] = [line]
        elif current and line and not line.startswith("#"):
            stages[current].append(line)
    return stages


def check_dockerfile(root):
    stages = dockerfile_stages(root)
    for service in sorted(SERVICES):
        stage = stages.get(service)
        if stage is None:
            yield f"Dockerfile: no target {service}"
            continue
        if f'ENTRYPOINT ["/usr/local/bin/{service}"]' not in stage:
            yield f"Dockerfile: {service} does not start its binary directly"
        base = stage[0].split()[1]
        last_user = [line.split()[1] for line in stages[base] + stage if line.startswith("USER")][-1]
        if last_user != "10001:10001":
            yield f"Dockerfile: {service} runs as {last_user}"
        if not (root / "services" / service / "Cargo.toml").exists():
            yield f"Dockerfile: there is no services/{service}"


def check_compose(root):
    compose = yaml.safe_load((root / "deploy/compose.yaml").read_text())
    services = compose["services"]
    stages = dockerfile_stages(root)
    for name, service in services.items():
        build = service.get("build")
        if build and build["target"] not in stages:
            yield f"compose: {name} builds {build['target']}, which is no target"
        if build and not (service.get("read_only") and service.get("cap_drop") == ["ALL"]):
            yield f"compose: {name} is not confined"
        for other, when in service.get("depends_on", {}).items():
            if other not in services:
                yield f"compose: {name} waits for {other}, which is not there"
            elif when["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                yield f"compose: {name} waits for {other}, which never says that it is healthy"
    for name in SERVICES - {"orch"} - services.keys():
        yield f"compose: no service {name}"


def check_env_example(root):
    known = set(re.findall(r"^#?([A-Z_]+)=", (root / "deploy/.env.example").read_text(), re.M))
    compose = (root / "deploy/compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{([A-Z_]+)", compose)) | set(re.findall(r"^      ([A-Z_]+):$", compose, re.M))
    for name in sorted(wanted ^ known):
        yield f".env.example and compose.yaml do not agree on {name}"


def names_that_are_set(root):
    """Variable -> one file that sets it."""
    found = {}
    schema = json.loads((root / "k8s/values.schema.json").read_text())
    for name in schema["properties"]["settings"]["properties"]:
        found[name] = "k8s/values.schema.json"
    files = [*(root / "k8s/templates").iterdir(), root / "deploy/compose.yaml", root / "deploy/Dockerfile"]
    for file in files:
        for name in NAME.findall(file.read_text()):
            found[name] = str(file.relative_to(root))
    return found


def check_names(root):
    sources = [*root.glob("crates/*/src/**/*.rs"), *root.glob("services/*/src/**/*.rs")]
    program = "\n".join(s.read_text() for s in sources)
    for name, file in sorted(names_that_are_set(root).items()):
        if f'"{name}"' not in program:
            yield f"{file}: no program reads {name}"


def main():
    root = pathlib.Path(sys.argv[1])
    checks = [check_dockerfile, check_compose, check_env_example, check_names]
    wrong = [sentence for check in checks for sentence in check(root)]
    for sentence in wrong:
        print(f"  {sentence}")
    print(f"  {len(names_that_are_set(root))} variables, {len(SERVICES)} images: {len(wrong)} violations")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
