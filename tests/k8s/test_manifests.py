"""Every overlay and every combination of components renders, is valid, and keeps the `restricted` profile."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kubernetes_validate
import pytest
from manifests import COMPONENTS, K8S, OVERLAYS, pod_of, rendered

OF_OPERATORS = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
"""Kinds that an operator adds to a cluster; the published schemas do not know them."""
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
"""What the `restricted` Pod Security Standard lets a pod mount."""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid(overlay: str) -> None:
    for manifest in rendered(K8S / "overlays" / overlay):
        if manifest["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_every_combination_of_components_renders(tmp_path: Path) -> None:
    folders = []
    for count in range(len(COMPONENTS) + 1):
        for chosen in itertools.combinations(COMPONENTS, count):
            folder = tmp_path / ("-".join(chosen) or "none")
            folder.mkdir()
            entries = [f"  - {os.path.relpath(K8S / 'components' / name, folder)}\n" for name in chosen]
            listed = f"components:\n{''.join(entries)}" if chosen else ""
            (folder / "kustomization.yaml").write_text(
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
                f"resources:\n  - {os.path.relpath(K8S / 'base', folder)}\n{listed}"
            )
            folders.append(folder)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(rendered, folders))
    assert len(results) == 2 ** len(COMPONENTS)
    for folder, manifests in zip(folders, results, strict=True):
        names = [(item["kind"], item["metadata"]["name"]) for item in manifests]
        assert len(names) == len(set(names)), folder.name
        for kind, server in (("StatefulSet", "redis"), ("StatefulSet", "mongo")):
            assert ((kind, server) in names) != (f"external-{server}" in folder.name)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_meets_the_restricted_profile(overlay: str) -> None:
    for manifest in rendered(K8S / "overlays" / overlay):
        pod = pod_of(manifest)
        if pod is None:
            continue
        name, spec = manifest["metadata"]["name"], pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["serviceAccountName"] == name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == security["runAsGroup"] == 10001, name
        assert security["seccompProfile"]["type"] == "RuntimeDefault", name
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert not spec.get(key), (name, key)
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= VOLUMES, (name, volume)
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert set(container["resources"]) == {"requests", "limits"}, name
            assert "hostPort" not in str(container.get("ports", [])), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_server_is_probed_and_ends_gracefully(overlay: str) -> None:
    for manifest in rendered(K8S / "overlays" / overlay):
        if manifest["kind"] not in ("Deployment", "StatefulSet"):
            continue
        spec = manifest["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] >= 30
        assert spec["priorityClassName"].startswith("aro-")
        for container in spec["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), container["name"]
            for probe in ("startupProbe", "livenessProbe"):
                # A restart mends no dependency: liveness asks the process about itself only.
                assert "/readyz" not in str(container[probe])


def test_the_namespace_enforces_the_restricted_profile() -> None:
    (namespace,) = [item for item in rendered(K8S / "base") if item["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_secret_is_part_of_the_tree() -> None:
    for overlay in OVERLAYS:
        assert not [item for item in rendered(K8S / "overlays" / overlay) if item["kind"] == "Secret"]


def test_images_in_production_have_a_version() -> None:
    for manifest in rendered(K8S / "overlays" / "production"):
        pod = pod_of(manifest)
        for container in pod["spec"]["containers"] if pod else []:
            tag = container["image"].rpartition(":")[2]
            assert tag not in ("latest", container["image"]), container["image"]
