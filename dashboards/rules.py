"""Prometheus' rules: what is recorded, and which states call a person.

States and counts go by these rules alone. Severities are the product's own words: ``high`` and
``critical`` wake somebody, ``medium`` can wait for the morning. No label changes while an alert
lasts, for an alert is known by its labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WATCHDOG: Final = "Watchdog"
"""The name that others look for; it is the one alert that fires always."""
LOST: Final = 'dijkwacht_agent_packets_dropped_total{reason!="unsupported"}'


@dataclass(frozen=True)
class Recording:
    """A recording rule, named level:metric:operation."""

    record: str
    expr: str


@dataclass(frozen=True)
class Alert:
    """An alerting rule. ``wait`` is how long it must hold; ``runbook`` is made from its name."""

    alert: str
    expr: str
    summary: str
    description: str
    wait: str = "0s"
    severity: str = ""
    keep: str = ""


def recordings() -> list[Recording]:
    """What rules and people query often."""
    return [
        Recording("site:dijkwacht_rows:rate5m", "sum by (site) (rate(dijkwacht_rows_total[5m]))"),
        Recording(
            "site_severity:dijkwacht_incidents_open:sum",
            "sum by (site, severity) (dijkwacht_incidents_open)",
        ),
        Recording(
            "site_agent:dijkwacht_agent_heartbeat_age_seconds:now",
            "time() - max by (site, agent) (dijkwacht_agent_last_seen_timestamp_seconds)",
        ),
        Recording(
            "site_agent:dijkwacht_agent_packets_lost:ratio_rate5m",
            f"sum by (site, agent) (rate({LOST}[5m]))"
            " / sum by (site, agent) (rate(dijkwacht_agent_packets_total[5m]) > 0)",
        ),
        # A site's first week counts as a whole one: an hour watched promises next to nothing.
        Recording(
            "site:dijkwacht_promise:ratio_4w",
            f"{_in_four_weeks('dijkwacht_interruptions_total')}"
            f" / clamp_min({_in_four_weeks('dijkwacht_watched_seconds_total')} / 604800, 1)"
            " / max by (site) (dijkwacht_budget_interruptions_per_week > 0)",
        ),
        Recording(
            "collector:dijkwacht_journal_commit_seconds:p99_5m",
            "histogram_quantile(0.99, sum by (le) (rate(dijkwacht_journal_commit_seconds_bucket[5m])))",
        ),
        Recording(
            "collector:dijkwacht_engine_step_seconds:p99_5m",
            "histogram_quantile(0.99, sum by (le) (rate(dijkwacht_engine_step_seconds_bucket[5m])))",
        ),
    ]


def _in_four_weeks(counter: str) -> str:
    """By site, from a sample an hour: all that were scraped, of a thousand sites, are too many for a query.

    A site that has no two of them yet is seen by its samples of the last two hours.
    """
    seen = (f"sum by (site) (increase({counter}[{window}]))" for window in ("4w:1h", "2h"))
    return f"({' or '.join(seen)})"


def alerts() -> list[Alert]:
    """Incidents first, then agents, then the collector."""
    return [*_incidents(), *_agents(), *_collector()]


def _incidents() -> list[Alert]:
    # A story interrupts, and no finding in it for itself; its own severity label becomes the alert's.
    explain = "Its page in the console has the evidence and the advice."
    open_ = 'sum by (site) (dijkwacht_stories_open{severity!="low"} offset 10m)'
    return [
        Alert(
            "DijkwachtIncidentHigh",
            'sum by (site, severity) (dijkwacht_stories_open{severity=~"high|critical"}) > 0',
            "{{ $labels.severity | title }} incident at {{ $labels.site }}",
            explain,
        ),
        Alert(
            "DijkwachtIncidentMedium",
            'sum by (site, severity) (dijkwacht_stories_open{severity="medium"}) > 0',
            "Medium incident at {{ $labels.site }}",
            explain,
        ),
        # The two above go on as long as any is open: they cannot say that another has come.
        Alert(
            "DijkwachtInterruptedAgain",
            "sum by (site) (increase(dijkwacht_interruptions_total[10m])) > 0"
            f" and on (site) {open_} > 0",
            "Something more at {{ $labels.site }}",
            "Others are open there. " + explain,
            severity="high",
        ),
    ]


def _agents() -> list[Alert]:
    where = "{{ $labels.agent }} at {{ $labels.site }}"
    return [
        Alert(
            "DijkwachtAgentOffline",
            "site_agent:dijkwacht_agent_heartbeat_age_seconds:now > 120",
            f"{where} is offline",
            "No heartbeat for five minutes: its part of the network is not monitored.",
            wait="3m", severity="high",
        ),
        Alert(
            "DijkwachtAgentBlind",
            "sum by (site, agent) (increase(dijkwacht_agent_packets_total[10m])) == 0"
            " and site_agent:dijkwacht_agent_heartbeat_age_seconds:now < 120",
            f"{where} captures no packets",
            "It is up. The mirror port, the bridge or the capture interface is probably down.",
            wait="5m", severity="high",
        ),
        Alert(
            "DijkwachtAgentDropsPackets",
            "site_agent:dijkwacht_agent_packets_lost:ratio_rate5m > 0.001",
            f"{where} drops packets",
            "{{ $value | humanizePercentage }} of its packets are not metered.",
            wait="5m", severity="medium",
        ),
        Alert(
            "DijkwachtAgentShedsRows",
            "sum by (site, agent) (increase(dijkwacht_agent_rows_shed_total[10m])) > 0",
            f"{where} has lost rows",
            "Its spool was full, or the collector rejected a batch.",
            severity="high", keep="10m",
        ),
        Alert(
            "DijkwachtAgentDiskFull",
            "max by (site, agent) (dijkwacht_agent_disk_full) == 1",
            f"The disk of {where} is full",
            "What does not fit is lost. Make room on its machine.",
            wait="1m", severity="high",
        ),
        Alert(
            "DijkwachtAgentCopied",
            "max by (site, agent) (dijkwacht_agent_copies) > 0",
            f"Two machines use the identity of {where}",
            "Was its disk copied? Remove that agent, and let each machine join again.",
            wait="1m", severity="high",
        ),
        Alert(
            "DijkwachtSpoolGrowing",
            "deriv(dijkwacht_agent_spool_bytes[15m]) > 0 and dijkwacht_agent_spool_bytes > 1e6",
            f"The spool of {where} grows",
            "Its uplink is too slow, or the collector is overloaded.",
            wait="15m", severity="medium",
        ),
        Alert(
            "DijkwachtAgentClockWrong",
            "abs(dijkwacht_agent_clock_offset_seconds) > 300",
            f"The clock of {where} is off",
            "It is {{ $value | humanizeDuration }} off: rows ahead of time are scored at their arrival.",
            wait="5m", severity="medium",
        ),
    ]  # fmt: skip


def _collector() -> list[Alert]:
    return [
        Alert(
            "DijkwachtCollectorDown",
            'up{job="dijkwacht"} == 0 or absent(up{job="dijkwacht"})',
            "The collector is down",
            "Prometheus cannot scrape it. Agents spool to disk; nothing is scored until it is back.",
            wait="1m", severity="critical",
        ),
        # With several collectors `absent` is silent about one that service discovery has lost.
        Alert(
            "DijkwachtCollectorGone",
            'max by (instance) (up{job="dijkwacht"} offset 1h)'
            ' unless on (instance) max by (instance) (up{job="dijkwacht"})',
            "The collector {{ $labels.instance }} is not scraped any more",
            "An hour ago it was. Prometheus does not look for it now: was it removed, or lost?",
            wait="5m", severity="high",
        ),
        # Whatever waits for this alert notices when Prometheus, Alertmanager or the way to it ends.
        Alert(
            WATCHDOG,
            "vector(1)",
            "The alerts work",
            "It fires always. Alertmanager passes it on to a dead man's switch, which calls when it stays away.",
            severity="none",
        ),
        Alert(
            "DijkwachtEngineBehind",
            "dijkwacht_engine_lag_entries > 1000",
            "The engine is behind the journal",
            "Incidents are delayed. Expected while a spool drains; otherwise check the engine's load.",
            wait="5m", severity="medium",
        ),
        Alert(
            "DijkwachtJournalSlow",
            "collector:dijkwacht_journal_commit_seconds:p99_5m > 0.25",
            "Journal commits are slow",
            "The 99th percentile of a commit is {{ $value | humanizeDuration }}.",
            wait="5m", severity="medium",
        ),
        Alert(
            "DijkwachtBatchesRejected",
            'sum by (reason) (increase(dijkwacht_batches_rejected_total{reason!~"busy|over_quota|revoked|certificate_expired"}[10m])) > 0',
            "Batches are rejected: {{ $labels.reason }}",
            "A client sends malformed batches, or its certificate or token is not valid.",
            severity="medium", keep="10m",
        ),
        Alert(
            "DijkwachtDetectorFailed",
            "sum by (detector) (increase(dijkwacht_detector_failures_total[10m])) > 0",
            "The detector {{ $labels.detector }} failed",
            "After three on a site it is left out there until another release runs.",
            severity="high", keep="1h",
        ),
    ]  # fmt: skip


def write(group: str, rules: Sequence[Recording | Alert]) -> str:
    """A rule file's text. A JSON string is a YAML string, which settles all quoting."""
    lines = [
        "# Generated by dashboards/generate.py: edit dashboards/rules.py.",
        "groups:",
        f"  - name: {group}",
        "    rules:",
    ]
    for rule in rules:
        if isinstance(rule, Recording):
            lines += [f"      - record: {rule.record}", f"        expr: {json.dumps(rule.expr)}"]
        else:
            lines += _write_alert(rule)
    return "\n".join(lines) + "\n"


def _write_alert(rule: Alert) -> list[str]:
    lines = [f"      - alert: {rule.alert}", f"        expr: {json.dumps(rule.expr)}"]
    lines.append(f"        for: {rule.wait}")
    if rule.keep:
        lines.append(f"        keep_firing_for: {rule.keep}")
    if rule.severity:
        lines += ["        labels:", f"          severity: {rule.severity}"]
    return [
        *lines,
        "        annotations:",
        f"          summary: {json.dumps(rule.summary)}",
        f"          description: {json.dumps(rule.description)}",
        f"          runbook: docs/dashboards.md#{rule.alert.lower()}",
    ]
