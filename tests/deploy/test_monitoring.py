"""Each file of Prometheus, Alertmanager and Grafana, read by the tool that owns its format."""

import re
import shutil
import subprocess

import pytest
import yaml

PORT = 8470


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.tools("promtool")
def test_promtool_accepts_the_configuration_beside_its_rules(root, tmp_path):
    shutil.copy(root / "deploy/prometheus/prometheus.yml", tmp_path)
    shutil.copytree(root / "dashboards/rules", tmp_path / "rules")
    done = subprocess.run(
        ["promtool", "check", "config", "--lint-fatal", tmp_path / "prometheus.yml"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "2 rule files found" in done.stdout


def test_prometheus_scrapes_the_collectors_own_port_under_the_name_the_rules_know(root):
    (job,) = load(root / "deploy/prometheus/prometheus.yml")["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"127.0.0.1:{PORT}"]
    alerts = (root / "dashboards/rules/alerts.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'job=\\"(\w+)', alerts)) == {job["job_name"]}


@pytest.mark.tools("amtool")
def test_amtool_accepts_the_configuration(root):
    path = root / "deploy/alertmanager/alertmanager.yml"
    subprocess.run(["amtool", "check-config", path], check=True, capture_output=True)


@pytest.mark.tools("amtool")
@pytest.mark.parametrize("severity", ["medium", "critical"])
def test_every_severity_reaches_somebody(root, severity):
    path = root / "deploy/alertmanager/alertmanager.yml"
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={path}", f"severity={severity}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "lab"


@pytest.mark.tools("amtool")
def test_the_watchdog_goes_to_the_dead_mans_switch_alone(root):
    path = root / "deploy/alertmanager/alertmanager.yml"
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={path}", "alertname=Watchdog", "severity=none"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "dead-man"


def test_inhibitions_name_rules_that_exist(root):
    config = load(root / "deploy/alertmanager/alertmanager.yml")
    groups = load(root / "dashboards/rules/alerts.yml")["groups"]
    known = {rule["alert"] for group in groups for rule in group["rules"]}
    for inhibition in config["inhibit_rules"]:
        for matcher in (*inhibition["source_matchers"], *inhibition["target_matchers"]):
            name, pattern = re.fullmatch(r'(\w+)=~?"(.*)"', matcher).groups()
            assert name == "alertname"
            assert any(re.fullmatch(pattern, alert) for alert in known), matcher


def test_grafana_is_provisioned_and_not_edited(root):
    folder = root / "deploy/grafana/provisioning"
    (source,) = load(folder / "datasources/dijkwacht.yml")["datasources"]
    assert source["uid"] == "dijkwacht-prometheus"
    assert source["type"] == "prometheus"
    assert source["editable"] is False
    (provider,) = load(folder / "dashboards/dijkwacht.yml")["providers"]
    assert provider["allowUiUpdates"] is False
    readme = (root / "deploy/grafana/README.md").read_text(encoding="utf-8")
    assert provider["options"]["path"] in readme
