"""Rules, alerts, boards and scrape configuration hold together, and name only what exists."""

import shutil
import subprocess
from pathlib import Path

import generate
import pytest
import yaml
from expressions import (
    BY_CLIENT,
    BY_PROMETHEUS,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    alerts,
    board_expressions,
    declared,
    everything,
    family,
    metrics_of,
    recorded,
)

from aro.runtime import deployment

ALERT_TESTS = sorted((Path(__file__).parent / "alerts").glob("*.yml"))


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH; it comes with Prometheus")
    return found


def run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_configuration(promtool: str) -> None:
    run(promtool, "check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", ALERT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_keep_silent(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", path)


def test_every_expression_of_a_board_parses(promtool: str, tmp_path: Path) -> None:
    recorded_as = [
        {"record": f"board:{place}", "expr": text} for place, text in enumerate(board_expressions().values())
    ]
    path = tmp_path / "boards.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": recorded_as}]}))
    run(promtool, "check", "rules", path)


def test_every_alert_is_tested_both_ways() -> None:
    fires, silent = set(), set()
    for path in ALERT_TESTS:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            alert = case["name"].split()[0]
            for check in case["promql_expr_test"]:
                assert f'alertname="{alert}"' in check["expr"]
                (fires if check["exp_samples"] else silent).add(alert)
    assert fires == silent == {alert["alert"] for alert in alerts()}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    text = (ROOT / "observability" / "runbooks.md").read_text(encoding="utf-8")
    sections = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    assert sections == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning"), alert["alert"]
        assert {"summary", "description", "runbook"} == alert["annotations"].keys(), alert["alert"]
        assert alert["annotations"]["runbook"] == f"observability/runbooks.md#{alert['alert'].lower()}"


@pytest.mark.parametrize("place", everything())
def test_every_metric_that_is_used_is_declared(place: str) -> None:
    used = metrics_of(everything()[place])
    assert used, "no metric was found in it"
    known = {*declared(), *BY_CLIENT, *BY_PROMETHEUS, *recorded()}
    assert [name for name in used if name not in known and family(name) not in known] == []


def test_every_recording_rule_is_used() -> None:
    used = set().union(*(metrics_of(text) for text in everything().values()))
    assert recorded() <= used


def test_what_is_made_is_up_to_date() -> None:
    for path, text in generate.files().items():
        assert path.read_text(encoding="utf-8") == text, f"run python observability/generate.py for {path.name}"


def test_the_operator_gets_the_same_rules() -> None:
    (rules,) = yaml.safe_load_all(generate.OPERATOR_RULES.read_text(encoding="utf-8"))
    groups = [yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for path in generate.RULES]
    assert rules["spec"]["groups"] == [group for found in groups for group in found]
    assert set(generate.RULES) == set(RULE_FILES)


def test_prometheus_scrapes_every_process_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    scraped = {}
    for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]:
        if "dns_sd_configs" in job:
            ((found,),) = ((config["names"] for config in job["dns_sd_configs"]),)
            scraped[job["job_name"]] = (found[0], str(job["dns_sd_configs"][0]["port"]))
        else:
            scraped[job["job_name"]] = tuple(job["static_configs"][0]["targets"][0].split(":"))
    ours = {name: service for name, service in compose.items() if service["image"].startswith("option-aro/")}
    environs = {name: service.get("environment", {}) for name, service in ours.items() if service["restart"] != "no"}
    ports = {name: environ.get("ARO_OPERATIONS_PORT", environ.get("ARO_PORT")) for name, environ in environs.items()}
    # What prints the link to the page listens on nothing.
    assert {name for name, port in ports.items() if port is None} == {"welcome"}
    listening = {name: (name, port) for name, port in ports.items() if port is not None}
    assert scraped == listening


def test_the_local_configuration_scrapes_the_same_jobs() -> None:
    from local.settings import LocalSettings
    from prometheus_local import local_targets

    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    targets = local_targets(LocalSettings())
    assert set(targets) == {job["job_name"] for job in jobs}
    assert len(set(targets.values())) == len(targets)


def test_a_service_that_is_gone_is_noticed() -> None:
    (absent,) = [alert["expr"] for alert in alerts() if alert["alert"] == "ServiceAbsent"]
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert [job["job_name"] for job in jobs if f'absent(up{{job="{job["job_name"]}"}})' not in absent] == []
    assert absent.count("absent(") == len(jobs)


def test_grafana_finds_its_source_and_boards() -> None:
    provisioning = ROOT / "observability" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["uid"] == generate.DATASOURCE["uid"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "boards.yml").read_text())["providers"]
    mounted = {volume["target"]: volume["source"] for volume in compose["grafana"]["volumes"]}
    assert (ROOT / mounted[provider["options"]["path"]]).resolve() == generate.BOARD_FOLDER


def test_grafana_has_one_password_that_no_other_file_holds(tmp_path: Path) -> None:
    servers, clients, grafana = (tmp_path / name for name in ("servers", "clients", "grafana"))
    for folder in (servers, clients, grafana):
        folder.mkdir()
    assert "admin_password" in deployment.write(servers, clients, redis="redis:1", mongo="mongo:1", grafana=grafana)
    (password,) = grafana.iterdir()
    first = password.read_text()
    assert (password.name, password.stat().st_mode & 0o777) == ("admin_password", 0o400)
    assert deployment.write(servers, clients, redis="redis:1", mongo="mongo:1", grafana=grafana) == []
    assert password.read_text() == first
    assert not [file for file in (*servers.iterdir(), *clients.iterdir()) if first.strip() in file.read_text()]
