"""The overview dashboard: what needs attention, the agents, and the collector."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    stat,
    statetimeline,
    table,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from panels import (
    SITE,
    SOURCE,
    Panel,
    by_severity,
    columns,
    hide_columns,
    lines,
    number,
    quantile,
    query,
    rate,
    rows_query,
    threshold,
    words,
)

LATE_S: Final = 60
OFFLINE_S: Final = 300


def open_incidents() -> stat.Panel:
    """The first thing an operator looks at."""
    return number(
        "Open stories",
        "What machines did, or had done to them, that goes on; by severity now. Medium and above need a person.",
        f"sum by (severity) (dijkwacht_stories_open{{{SITE}}})",
        legend="{{severity}}",
    ).thresholds(threshold((None, "green"), (1, "orange")))


def offline_agents() -> stat.Panel:
    """Part of a network that is not monitored."""
    return number(
        "Agents offline",
        f"Agents without a heartbeat for {OFFLINE_S} seconds.",
        f"count(time() - dijkwacht_agent_last_seen_timestamp_seconds{{{SITE}}} > {OFFLINE_S})"
        " or vector(0)",
    ).thresholds(threshold((None, "green"), (1, "red")))


def packet_loss() -> stat.Panel:
    """What was on the wire and is in no record."""
    dropped = f'sum(rate(dijkwacht_agent_packets_dropped_total{{{SITE}, reason!="unsupported"}}[$__rate_interval]))'
    seen = f"sum(rate(dijkwacht_agent_packets_total{{{SITE}}}[$__rate_interval]))"
    return (
        number(
            "Packet loss",
            "Share of packets seen and not metered, other than unsupported protocols.",
            f"{dropped} / clamp_min({seen}, 0.001)",
            "percentunit",
        )
        .decimals(3)
        .thresholds(threshold((None, "green"), (0.001, "orange"), (0.01, "red")))
    )


def unwatched_sites() -> stat.Panel:
    """Sites that look quiet because no agent is there."""
    return number(
        "Sites unwatched",
        f"Sites without an agent that sent a heartbeat in the last {OFFLINE_S} seconds.",
        f"count(dijkwacht_batches_total{{{SITE}}} unless on (site)"
        f" (time() - dijkwacht_agent_last_seen_timestamp_seconds{{{SITE}}} <= {OFFLINE_S}))"
        " or vector(0)",
    ).thresholds(threshold((None, "green"), (1, "red")))


def known_sites() -> stat.Panel:
    """How many there are."""
    return number(
        "Sites",
        "Sites known to the collector.",
        f"count(dijkwacht_batches_total{{{SITE}}})",
    ).thresholds(threshold((None, "blue")))


def agent_states() -> statetimeline.Panel:
    """The state of every agent over time."""
    age = f"(time() - dijkwacht_agent_last_seen_timestamp_seconds{{{SITE}}}"
    texts = {"0": ("up", "green"), "1": ("late", "yellow"), "2": ("offline", "red")}
    return (
        statetimeline.Panel()
        .title("Agents")
        .description(f"Late after {LATE_S} seconds without a heartbeat, offline after {OFFLINE_S}.")
        .datasource(SOURCE)
        .unit("none")
        .with_target(
            query(
                f"{age} > bool {LATE_S}) + {age} > bool {OFFLINE_S})",
                "{{site}} / {{agent}}",
            )
        )
        .mappings(words(texts))
        .merge_values(True)
        .show_value(common_models.VisibilityMode.AUTO)
    )


def open_table() -> table.Panel:
    """What is open, with a link to the console."""
    link = (
        dashboard.DashboardLink("Explain in the console")
        .type(models.DashboardLinkType.LINK)
        .url("${console}/")
        .target_blank(True)
    )
    return (
        table.Panel()
        .title("Open, by site")
        .description("One row a site and severity. The console has a page for each story.")
        .datasource(SOURCE)
        .unit("none")
        .with_target(rows_query(f"dijkwacht_stories_open{{{SITE}}} > 0"))
        .with_transformation(hide_columns("Time", "__name__", "instance", "job"))
        .no_value("Nothing is open")
        .data_links([link])
    )


def firing_alerts() -> table.Panel:
    """Prometheus' own alerts."""
    return (
        table.Panel()
        .title("Firing alerts")
        .description("Alerts of dashboards/rules that are firing: incidents, agents, collector.")
        .datasource(SOURCE)
        .unit("none")
        .with_target(rows_query('ALERTS{alertname=~"Dijkwacht.+", alertstate="firing"}'))
        .with_transformation(
            hide_columns("Time", "Value", "__name__", "instance", "job", "alertstate")
        )
        .no_value("No alert is firing")
    )


def techniques() -> bargauge.Panel:
    """Incidents by ATT&CK technique."""
    return (
        bargauge.Panel()
        .title("ATT&CK techniques")
        .description("Incidents opened in the time range, by ATT&CK technique, on all sites.")
        .datasource(SOURCE)
        .unit("none")
        .decimals(0)
        .min(0)
        .with_target(
            query(
                "sort_desc(sum by (technique) (increase(dijkwacht_incidents_technique_total[$__range])))",
                "{{technique}}",
                instant=True,
            )
        )
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(threshold((None, "blue")))
    )


def promise() -> table.Panel:
    """Whether sites are interrupted as rarely as they were promised."""
    return columns(
        "Interruptions, and the promise",
        "Realised ÷ promised over the last four weeks: interruptions a watched week, whatever their cause, ÷ the"
        " site's budget; a site's first week counts as a whole one. By chance alone half of the sites are at 1 or below,"
        " and at most one in twenty is above 3.",
        [
            ("Budget a week", f"max by (site) (dijkwacht_budget_interruptions_per_week{{{SITE}}})"),
            (
                "Interruptions",
                f"sum by (site) (increase(dijkwacht_interruptions_total{{{SITE}}}[$__range]))",
            ),
            (
                "Hours watched",
                f"sum by (site) (increase(dijkwacht_watched_seconds_total{{{SITE}}}[$__range])) / 3600",
            ),
            ("Realised ÷ promised, 4 weeks", f"site:dijkwacht_promise:ratio_4w{{{SITE}}}"),
        ],
    )


def row_sums() -> table.Panel:
    """Whether every row is accounted for."""
    return columns(
        "What became of the rows",
        "Made = durable + shed + waiting, by the agents' last heartbeats; durable may be ahead by what was"
        " made since. What the collector rejected since its start is among what its agents shed.",
        [
            ("Made", f"sum by (site) (dijkwacht_agent_rows_made_total{{{SITE}}})"),
            ("Durable", f"sum by (site) (dijkwacht_rows_total{{{SITE}}})"),
            ("Shed", f"sum by (site) (dijkwacht_agent_rows_shed_total{{{SITE}}})"),
            ("Waiting", f"sum by (site) (dijkwacht_agent_rows_waiting{{{SITE}}})"),
            ("Rejected", f"sum by (site) (dijkwacht_rows_rejected_total{{{SITE}}})"),
        ],
    )


def attention_row() -> list[tuple[Panel, int, int]]:
    """Panels with width and height: what needs attention."""
    return [
        (open_incidents(), 8, 4),
        (offline_agents(), 4, 4),
        (unwatched_sites(), 4, 4),
        (packet_loss(), 4, 4),
        (known_sites(), 4, 4),
        (open_table(), 12, 8),
        (firing_alerts(), 12, 8),
        (
            by_severity(
                lines(
                    "Incidents by severity reached",
                    "Each counts under every severity up to its highest: low is all of them.",
                    "none",
                    [(f"sum by (severity) (increase(dijkwacht_incidents_total{{{SITE}}}[$__rate_interval]))", "{{severity}}")],
                )
            ),
            14,
            8,
        ),
        (techniques(), 10, 8),
        (
            by_severity(
                lines(
                    "Stories by severity reached",
                    "What machines did, as one each. Those below medium interrupted nobody.",
                    "none",
                    [(f"sum by (severity) (increase(dijkwacht_stories_total{{{SITE}}}[$__rate_interval]))", "{{severity}}")],
                )
            ),
            8,
            7,
        ),
        (lines("Interruptions", "In the time shown; of the sites shown, and by detector those of all sites.", "none",
               [(f"sum(increase(dijkwacht_interruptions_total{{{SITE}}}[$__range]))", "interruptions"),
                ("sum by (detector) (increase(dijkwacht_detector_interruptions_total[$__range])) > 0", "{{detector}}")]), 8, 7),
        (by_severity(lines("Open incidents", "Of which the open stories consist.", "none",
               [(f"sum by (severity) (dijkwacht_incidents_open{{{SITE}}})", "{{severity}}")])), 8, 7),
    ]  # fmt: skip


def agents_row() -> list[tuple[Panel, int, int]]:
    """Panels with width and height: the agents."""
    return [
        (agent_states(), 24, 7),
        (lines("Rows received", "Rows made durable, the ten busiest sites.", "rowsps",
               [(f"topk(10, {rate('dijkwacht_rows_total', 'site')})", "{{site}}")]), 12, 7),
        (lines("Packets dropped", "Packets not metered, by reason.", "pps",
               [(rate("dijkwacht_agent_packets_dropped_total", "reason"), "{{reason}}")]), 12, 7),
        (lines("Spool size", "Grows while an agent cannot reach the collector; the ten largest.", "bytes",
               [(f"topk(10, dijkwacht_agent_spool_bytes{{{SITE}}})", "{{site}} / {{agent}}")]), 6, 7),
        (lines("Left out under load", "Rows lost from a full spool; messages not read; flows ended early, and counted.", "cps",
               [(rate("dijkwacht_agent_rows_shed_total", "site"), "rows shed, {{site}}"),
                (rate("dijkwacht_agent_flows_evicted_total", "site"), "flows evicted, {{site}}"),
                (rate("dijkwacht_agent_messages_shed_total", "site"), "messages unread, {{site}}"),
                (rate("dijkwacht_agent_flows_counted_total", "site"), "flows counted, {{site}}")]), 6, 7),
        (lines("Active flows", "Flows in the agents' tables.", "none",
               [(f"sum by (site) (dijkwacht_agent_flows_active{{{SITE}}})", "{{site}}")]), 6, 7),
        (lines("Identities used twice", "Machines besides one that use an agent's identity, as copies of a disk do; 0 is well.", "none",
               [(f"topk(10, max by (site, agent) (dijkwacht_agent_copies{{{SITE}}}))", "{{site}} / {{agent}}")]), 6, 7),
        (row_sums(), 24, 7),
        (promise(), 24, 7),
    ]  # fmt: skip


def collector_row() -> list[tuple[Panel, int, int]]:
    """Panels with width and height: the collector itself."""
    return [
        (lines("Rows scored", "By every detector.", "rowsps",
               [(f"sum({rate('dijkwacht_engine_rows_total', 'site')})", "rows")]), 8, 7),
        (lines("Engine lag", "Durable entries not yet scored; sites folded apart, and bytes of theirs that wait.", "none",
               [("dijkwacht_engine_lag_entries", "entries"),
                ("dijkwacht_engine_slow_sites", "sites apart"),
                ("dijkwacht_engine_slow_bytes", "their bytes")]), 8, 7),
        (lines("Step and commit time", "Of the engine and the journal; median and 99th percentile.", "s",
               [(quantile("dijkwacht_engine_step_seconds", 0.5), "step, p50"),
                (quantile("dijkwacht_engine_step_seconds", 0.99), "step, p99"),
                (quantile("dijkwacht_journal_commit_seconds", 0.99), "commit, p99")]), 8, 7),
        (lines("Batches rejected", "By reason; busy and over_quota stay in the agent's spool.", "cps",
               [(rate("dijkwacht_batches_rejected_total", "reason", site=False), "{{reason}}")]), 8, 7),
        (lines("Rows out of order, skipped or dropped, findings not reported",
               "Late rows count at their agent's watermark; rows are skipped whose table only a later release knows;"
               " a site's windows hold so many rows, and no more than 200 incidents of it are open; what people called normal is not reported.", "cps",
               [(f"sum({rate('dijkwacht_rows_late_total', 'site')})", "late rows"),
                (f"sum({rate('dijkwacht_rows_future_total', 'site')})", "rows from the future"),
                (f"sum({rate('dijkwacht_rows_skipped_total', 'site')})", "rows skipped"),
                (f"sum({rate('dijkwacht_rows_dropped_total', 'site')})", "rows dropped"),
                (f"sum({rate('dijkwacht_incidents_shed_total', 'site')})", "findings dropped"),
                (f"sum({rate('dijkwacht_findings_exempted_total', 'site')})", "findings called normal")]), 8, 7),
        (lines("Detector failures", "A detector that failed three times is left out; the others go on.", "cps",
               [(rate("dijkwacht_detector_failures_total", "detector", site=False), "{{detector}}")]), 8, 7),
        (lines("Rows scored by each detector", "Those that run in shadow, too.", "rowsps",
               [(rate("dijkwacht_detector_scored_rows_total", "detector", site=False), "{{detector}}")]), 24, 7),
    ]  # fmt: skip


def place(
    made: dashboard.Dashboard,
    title: str,
    panels: list[tuple[Panel, int, int]],
    top: int,
    first_id: int,
) -> tuple[int, int]:
    """Add a row and its panels, left to right; gives the next free line and id."""
    made.with_row(dashboard.Row(title).id(first_id).grid_pos(models.GridPos(h=1, w=24, x=0, y=top)))
    left, line, tall = 0, top + 1, 0
    for number_, (panel, wide, high) in enumerate(panels, first_id + 1):
        if left + wide > 24:
            left, line, tall = 0, line + tall, 0
        panel.id(number_)
        panel.grid_pos(models.GridPos(h=high, w=wide, x=left, y=line))
        made.with_panel(panel)
        left, tall = left + wide, max(tall, high)
    return line + tall, first_id + len(panels) + 1


def overview() -> models.Dashboard:
    """The whole dashboard."""
    made = (
        dashboard.Dashboard("Dijkwacht: overview")
        .uid("dijkwacht-overview")
        .description("Incidents, agents and the collector of all sites. Generated: edit the generator.")
        .tags(["dijkwacht"])
        .editable()
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("site")
            .label("Site")
            .datasource(SOURCE)
            .query("label_values(dijkwacht_batches_total, site)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".+")
            .current(models.VariableOption(selected=True, text="All", value="$__all"))
        )
        .with_variable(
            dashboard.TextBoxVariable("console").label("Console").default_value("http://localhost:8470")
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("High incidents")
            .datasource(SOURCE)
            .enable(True)
            .icon_color("red")
            .expr('ALERTS{alertname="DijkwachtIncidentHigh", alertstate="firing"}')
            .title_format("{{severity}} at {{site}}")
            .text_format("{{site}}")
        )
    )  # fmt: skip
    top, next_id = place(made, "Needs attention", attention_row(), 0, 1)
    top, next_id = place(made, "Agents", agents_row(), top, next_id)
    place(made, "Collector", collector_row(), top, next_id)
    return made.build()
