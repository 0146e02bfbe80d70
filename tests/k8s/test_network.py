"""The network policies allow the edges of the architecture page, and no other."""

from typing import Any

from manifests import K8S, OVERLAYS, Manifest, pod_of, rendered

AUTH_AND_STORES = {"auth", "redis", "mongo"}
EDGES = {
    # The two doors.
    "api-gateway": {"auth", "storage", "analytics", "logging-service", "redis"},
    "socket-gateway": {"auth", "redis"},
    # Behind them; whoever verifies tokens fetches the keys from auth.
    "auth": {"redis", "mongo"},
    "storage": AUTH_AND_STORES,
    "analytics": AUTH_AND_STORES,
    "logging-service": AUTH_AND_STORES,
    # The pipeline.
    "feed-generator": {"redis"},
    "feed-replay": {"redis", "mongo"},
    "worker-consume": {"redis", "mongo"},
    "worker-enricher": {"redis", "mongo"},
    "worker-beat": {"redis", "mongo"},
    # The servers.
    "mongo-provision": {"mongo"},
    "mongo": {"mongo"},
    "redis": set(),
}
"""Who opens connections to whom: the flow of the architecture page, and log lines, which go through Redis."""
NAME = "app.kubernetes.io/name"


def peers(rules: list[dict[str, Any]], side: str) -> set[str]:
    return {
        peer["podSelector"]["matchLabels"][NAME]
        for rule in rules
        for peer in rule.get(side, [])
        if "namespaceSelector" not in peer
    }


def policies() -> dict[str, Manifest]:
    found = [item for item in rendered(K8S / "overlays" / "local") if item["kind"] == "NetworkPolicy"]
    return {item["metadata"]["name"]: item["spec"] for item in found}


def test_everything_is_denied_unless_allowed() -> None:
    assert policies()["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_who_may_call_whom() -> None:
    specs = policies()
    assert set(specs) == {*EDGES, "deny-all", "name-service"}
    for name, targets in EDGES.items():
        assert specs[name]["podSelector"]["matchLabels"][NAME] == name
        assert peers(specs[name].get("egress", []), "to") == targets, name
        callers = {caller for caller, called in EDGES.items() if name in called}
        assert peers(specs[name].get("ingress", []), "from") == callers, name


def test_every_rule_names_the_port_that_its_server_listens_on() -> None:
    manifests = rendered(K8S / "overlays" / "local")
    ports: dict[str, set[int]] = {}
    for item in manifests:
        pod = pod_of(item)
        for container in pod["spec"]["containers"] if pod else []:
            listened = {port["containerPort"] for port in container.get("ports", [])}
            ports.setdefault(item["metadata"]["name"], set()).update(listened)
    for name, spec in policies().items():
        for rule in spec.get("egress", []):
            for peer in rule["to"]:
                if "namespaceSelector" not in peer:
                    target = peer["podSelector"]["matchLabels"][NAME]
                    assert {port["port"] for port in rule["ports"]} <= ports[target], (name, target)
        for rule in spec.get("ingress", []):
            assert {port["port"] for port in rule["ports"]} <= ports[name], name


def test_only_the_gateways_can_be_entered_from_outside() -> None:
    entered = {
        name
        for name, spec in policies().items()
        for rule in spec.get("ingress", [])
        if any("namespaceSelector" in peer for peer in rule["from"])
    }
    assert entered == {"api-gateway", "socket-gateway"}


def test_every_workload_has_a_policy() -> None:
    specs = policies()
    for overlay in OVERLAYS:
        for item in rendered(K8S / "overlays" / overlay):
            if pod_of(item) is not None:
                assert item["metadata"]["name"] in specs
