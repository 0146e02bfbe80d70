"""Compose, the manifests and the settings classes say the same: no variable is unknown, missing or different."""

import dataclasses
import importlib
import ipaddress
from typing import Any

import pytest
import yaml
from manifests import K8S, ROOT, Manifest, pod_of, rendered

from aro.runtime.settings import load

PROCESSES = {
    "auth": "auth_service.settings.AuthSettings",
    "storage": "storage_service.settings.StorageSettings",
    "analytics": "analytics_service.settings.AnalyticsSettings",
    "logging-service": "logging_service.settings.LoggingSettings",
    "api-gateway": "api_gateway.settings.ApiGatewaySettings",
    "socket-gateway": "socket_gateway.settings.GatewaySettings",
    "feed-generator": "feed_generator.settings.FeedSettings",
    "feed-replay": "feed_generator.settings.ReplaySettings",
    "worker-consume": "worker_enricher.settings.WorkerSettings",
    "worker-enricher": "worker_enricher.settings.WorkerSettings",
    "worker-beat": "worker_enricher.settings.WorkerSettings",
}
PLACES = {
    *{"ARO_TRUSTED_PROXIES", "ARO_AUTH_KEY_DIR", "ARO_AUTH_KEY_GROUP", "ARO_WORKER_CONCURRENCY"},
    *{"ARO_PUBLIC_SOCKET_URL", "ARO_CORS_ORIGINS"},
}
"""Where the two differ with reason: networks, where keys are mounted and by whom they are owned, sizes, and whether a
browser finds both gateways at one origin, as behind the ingress."""
BY_IMAGE = {"ARO_HOST": "0.0.0.0", "ARO_PAGE_DIR": "/opt/page"}
"""Set in every Dockerfile, or that of the api-gateway: a container's loopback is of no use to others, and the page is
in the image."""


def compose_file() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return document


def compose_services() -> dict[str, Any]:
    services: dict[str, Any] = compose_file()["services"]
    return services


def config_maps(folder: str = "base") -> dict[str, dict[str, str]]:
    return {item["metadata"]["name"]: item["data"] for item in rendered(K8S / folder) if item["kind"] == "ConfigMap"}


def believed(environments: dict[str, dict[str, str]]) -> dict[str, str]:
    """By process, the networks whose X-Forwarded-For it believes."""
    return {name: data["ARO_TRUSTED_PROXIES"] for name, data in environments.items() if "ARO_TRUSTED_PROXIES" in data}


def workloads() -> dict[str, Manifest]:
    return {item["metadata"]["name"]: item for item in rendered(K8S / "base") if pod_of(item) is not None}


def settings_class(process: str) -> Any:
    module, _, name = PROCESSES[process].rpartition(".")
    return getattr(importlib.import_module(module), name)


def variables(process: str) -> set[str]:
    return {field.metadata["env"] for field in dataclasses.fields(settings_class(process))}


@pytest.mark.parametrize("process", PROCESSES)
def test_compose_and_manifests_set_the_same(process: str) -> None:
    compose = {key: value for key, value in compose_services()[process]["environment"].items() if key not in PLACES}
    manifest = {key: value for key, value in config_maps()[process].items() if key not in PLACES}
    assert compose == manifest


@pytest.mark.parametrize("process", PROCESSES)
def test_every_variable_is_a_setting_of_its_process(process: str) -> None:
    known = variables(process)
    for name in {**compose_services()[process]["environment"], **config_maps()[process]}:
        assert name in known or name.removesuffix("_FILE") in known, name


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_the_process_would_start_with_it(process: str, place: str, tmp_path: Any) -> None:
    found = compose_services()[process]["environment"] if place == "compose" else config_maps()[process]
    secret = tmp_path / "secret"
    secret.write_text("redis://127.0.0.1:6379/0")
    environ = {name: str(secret) if name.endswith("_FILE") else value for name, value in found.items()}
    load(settings_class(process), {**BY_IMAGE, **environ})


@pytest.mark.parametrize("process", PROCESSES)
def test_both_start_the_same_role_of_the_same_image(process: str) -> None:
    service = compose_services()[process]
    (container,) = workloads()[process]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == service["image"]
    assert container.get("args", []) == service.get("command", [])


def test_compose_believes_only_the_internal_network_and_only_behind_a_proxy() -> None:
    # Nothing stands before the api-gateway: whoever sends it X-Forwarded-For is a client. It stands before auth, and
    # the balancer before the socket-gateway, which publishes no port of its own.
    (subnet,) = compose_file()["networks"]["data"]["ipam"]["config"]
    environments = {name: service.get("environment", {}) for name, service in compose_services().items()}
    assert believed(environments) == {"auth": subnet["subnet"], "socket-gateway": subnet["subnet"]}
    assert all(compose_services()[name]["networks"] == ["data"] for name in believed(environments))
    assert not any("ports" in compose_services()[name] for name in believed(environments))
    assert compose_file()["networks"]["data"]["internal"] is True


def test_manifests_believe_nobody_without_the_ingress_component() -> None:
    assert believed(config_maps()) == {}
    assert believed(config_maps("overlays/local")) == {}
    with_ingress = believed(config_maps("overlays/production"))
    assert set(with_ingress) == {"api-gateway", "auth", "socket-gateway"}
    # One network: of pods, and no wider than a cluster gives them.
    (network,) = {ipaddress.ip_network(text) for text in with_ingress.values()}
    assert network.prefixlen >= 16


def test_both_run_the_same_processes() -> None:
    ours = {name for name, service in compose_services().items() if service["image"].startswith("option-aro/")}
    assert ours - {"secrets", "mongo-init", "welcome", "load"} == set(PROCESSES)
    assert set(workloads()) - {"redis", "mongo", "mongo-provision"} == set(PROCESSES)


def test_both_run_the_same_servers() -> None:
    for name in ("redis", "mongo"):
        (container,) = workloads()[name]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == compose_services()[name]["image"]


def test_every_health_port_is_one_that_the_process_listens_on() -> None:
    for process, manifest in workloads().items():
        if process in PROCESSES:
            data = config_maps()[process]
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            listened = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
            assert set(listened.values()) == {data[key] for key in ("ARO_PORT", "ARO_OPERATIONS_PORT") if key in data}
            probed = container["readinessProbe"]["httpGet"]["port"]
            assert listened[probed] == data.get("ARO_OPERATIONS_PORT", data.get("ARO_PORT"))
