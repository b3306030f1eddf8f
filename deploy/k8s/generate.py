"""Writes the manifests of every connector and stage, from their declarations: `python deploy/k8s/generate.py`.

A test holds the files to what this writes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from streams import topology
from streams.core.declaration import Declaration

HERE = Path(__file__).parent
HEAD = "# Written by deploy/k8s/generate.py from the declarations: edit that.\n"
PORT = 8080
ON_DISK = {"audit", "sqlite"}  # what else they write to is outside of Kafka: one worker at a time
LAG = 10_000  # records that one worker may be behind before there is another


def manifests() -> dict[str, list[dict[str, Any]]]:
    """Return what belongs into each file, by its path below this folder."""
    programs: list[dict[str, Any]] = []
    for connector in topology.CONNECTORS:
        programs += _connector(connector)
    for declaration in topology.DECLARATIONS.values():
        programs += _stage(declaration)
    scaled = [each for each in topology.DECLARATIONS.values() if most_workers(each) > 1]
    return {"base/programs.yaml": programs, "overlays/prod/hpa.yaml": [_hpa(each) for each in scaled]}


def most_workers(declaration: Declaration) -> int:
    """Return how many workers of a stage have something to do."""
    return 1 if declaration.name in ON_DISK else declaration.reads.partitions


def _connector(name: str) -> list[dict[str, Any]]:
    program = f"connect-{name}"
    webhooks = {"WEBHOOKS_HOST": "0.0.0.0", "WEBHOOKS_PORT": str(PORT)} if name == "webhooks" else {}  # noqa: S104
    spec = {
        "replicas": 1,
        # Two sockets of a tenant bring every frame twice.
        "strategy": {"type": "RollingUpdate" if webhooks else "Recreate"},
        "selector": {"matchLabels": _labels(program)},
        "template": _template(program, ["connect", name], webhooks),
    }
    found = [_object("apps/v1", "Deployment", program, spec)]
    return [*found, _service(program, headless=False)] if webhooks else found


def _stage(declaration: Declaration) -> list[dict[str, Any]]:
    name = declaration.name
    stateful = bool(declaration.tables) or name in ON_DISK
    spec: dict[str, Any] = {
        "replicas": 1,
        "selector": {"matchLabels": _labels(name)},
        "template": _template(name, ["worker", name], _paths(name), claimed=stateful),
    }
    if not stateful:
        return [_object("apps/v1", "Deployment", name, spec), _disruption(name)]
    spec["serviceName"] = name
    spec["podManagementPolicy"] = "Parallel"
    spec["volumeClaimTemplates"] = [
        {
            "metadata": {"name": "state"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
        }
    ]
    return [_object("apps/v1", "StatefulSet", name, spec), _service(name, headless=True), _disruption(name)]


def _paths(stage: str) -> dict[str, str]:
    if stage == "sqlite":
        return {"SQLITE_PATH": "/state/metrics.db"}
    if stage == "audit":
        return {"AUDIT_DIR": "/state/audit", "AUDIT_KEY": "/keys/audit.pem"}
    return {}


def _template(program: str, arguments: list[str], environment: Mapping[str, str], *, claimed: bool = False) -> Any:
    mounts = [{"name": "state", "mountPath": "/state"}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a volume
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if not claimed:
        volumes.append({"name": "state", "emptyDir": {}})
    if "AUDIT_KEY" in environment:
        mounts.append({"name": "keys", "mountPath": "/keys", "readOnly": True})  # type: ignore[dict-item]  # as it is
        volumes.append({"name": "keys", "secret": {"secretName": "cxone-streams-audit", "defaultMode": 0o440}})
    container = {
        "name": "program",
        "image": "cxone-streams",
        "args": arguments,
        "envFrom": [{"configMapRef": {"name": "cxone-streams"}}, {"secretRef": {"name": "cxone-streams"}}],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": _probe("/livez", failures=6),
        "readinessProbe": _probe("/readyz", failures=2),
        "startupProbe": _probe("/livez", failures=60),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    return {
        "metadata": {
            "labels": _labels(program),
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)},
        },
        "spec": {
            "serviceAccountName": "cxone-streams",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": volumes,
        },
    }


def _probe(path: str, *, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": 5,
        "timeoutSeconds": 4,
        "failureThreshold": failures,
    }


def _service(name: str, *, headless: bool) -> dict[str, Any]:
    none = {"clusterIP": "None"} if headless else {}
    ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
    return _object("v1", "Service", name, {**none, "selector": _labels(name), "ports": ports})


def _disruption(name: str) -> dict[str, Any]:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _labels(name)}}
    return _object("policy/v1", "PodDisruptionBudget", name, spec)


def _hpa(declaration: Declaration) -> dict[str, Any]:
    stateful = bool(declaration.tables)
    metric = {
        "type": "External",
        "external": {
            # Of an adapter such as prometheus-adapter, over an exporter of consumer groups: see docs/deploy.md
            "metric": {
                "name": "kafka_consumergroup_lag",
                "selector": {"matchLabels": {"consumergroup": declaration.group}},
            },
            "target": {"type": "AverageValue", "averageValue": str(LAG)},
        },
    }
    spec = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet" if stateful else "Deployment",
            "name": declaration.name,
        },
        "minReplicas": 2,
        "maxReplicas": most_workers(declaration),
        "metrics": [metric],
        # Each change moves partitions, and their state is restored: not at every peak.
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 900}},
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", declaration.name, spec)


def _labels(program: str) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "cxone-streams", "app.kubernetes.io/name": program}


def _object(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": _labels(name)},
        "spec": dict(spec),
    }


class _Plain(yaml.SafeDumper):
    """Writes everything out: nobody follows references in a manifest."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML asks so
        return True


def text(objects: list[dict[str, Any]]) -> str:
    """Return a file of manifests."""
    return HEAD + yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=120)


def main() -> None:
    """Write the files."""
    for path, objects in manifests().items():
        (HERE / path).write_text(text(objects))


if __name__ == "__main__":
    main()
