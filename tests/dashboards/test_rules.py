import re
import subprocess

import pytest
import yaml

WATCHDOG = "Watchdog"


def test_every_rule_has_a_firing_and_a_not_yet_firing_moment(rules, root):
    moments = {}
    for path in (root / "tests/dashboards/rules").glob("*.yml"):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for moment in test["alert_rule_test"]:
                moments.setdefault(moment["alertname"], set()).add(bool(moment["exp_alerts"]))
    assert moments.pop(WATCHDOG) == {True}, "it fires always"
    assert moments == {alert.alert: {True, False} for alert in rules[0] if alert.alert != WATCHDOG}


@pytest.mark.tools("promtool")
def test_promtool_accepts_the_rules(root):
    files = sorted((root / "dashboards/rules").glob("*.yml"))
    subprocess.run(["promtool", "check", "rules", "--lint-fatal", *files], check=True)


@pytest.mark.tools("promtool")
def test_rules_fire_when_they_should_and_no_sooner(root):
    files = sorted((root / "tests/dashboards/rules").glob("*.yml"))
    done = subprocess.run(
        ["promtool", "test", "rules", *files], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_a_rule_is_exposed(rules, promql, exposed):
    for rule in (*rules[0], *rules[1]):
        assert promql.metric_names(rule.expr) <= exposed


def test_recordings_are_named_level_metric_operation(rules):
    for recording in rules[1]:
        assert re.fullmatch(r"[a-z_]+:dijkwacht_[a-z_]+:[a-z0-9_]+", recording.record)


def test_severities_are_the_products_own_words(rules):
    for alert in rules[0]:
        if alert.alert == WATCHDOG:
            assert alert.severity == "none"
            continue
        inherited = alert.alert.startswith("DijkwachtIncident")
        assert alert.severity in ({""} if inherited else {"medium", "high", "critical"})


def test_no_alert_has_a_label_that_changes_while_it_lasts(rules):
    for alert in rules[0]:
        assert "$value" not in alert.summary
        assert "$value" not in alert.severity


def test_every_alert_has_a_runbook(rules, root):
    page = (root / "docs/dashboards.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert headings == {alert.alert for alert in rules[0]}
