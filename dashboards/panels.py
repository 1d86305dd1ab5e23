"""What dashboards are built from: queries, thresholds, and the kinds of panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
SITE: Final = 'site=~"$site"'
SEVERITY_COLOURS: Final = {
    "low": "#8ab8ff",
    "medium": "#f2cc0c",
    "high": "#ff780a",
    "critical": "#c4162a",
}


Panel = stat.Panel | timeseries.Panel | statetimeline.Panel | table.Panel | bargauge.Panel


def query(
    expr: str, legend: str = "", ref: str = "A", *, instant: bool = False
) -> prometheus.Dataquery:
    """One target. The SDK sets no ``refId`` of its own: two targets would collide."""
    made = prometheus.Dataquery().expr(expr).ref_id(ref).datasource(SOURCE)
    if legend:
        made = made.legend_format(legend)
    return made.instant() if instant else made.range()


def rows_query(expr: str, ref: str = "A") -> prometheus.Dataquery:
    """A target for a table: the present, one row a series."""
    return query(expr, ref=ref, instant=True).format(PromQueryFormat.TABLE)


def threshold(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """``(from, colour)`` steps; the first begins at minus infinity."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def words(texts: dict[str, tuple[str, str]]) -> list[models.ValueMapping]:
    """Values that are shown as ``(text, colour)``: never colour alone."""
    options = {
        value: models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(options=options)]


def number(
    title: str, description: str, expr: str, unit: str = "none", legend: str = ""
) -> stat.Panel:
    """One big figure, or one a severity."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .with_target(query(expr, legend, instant=True))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .thresholds(threshold((None, "green")))
    )


def lines(
    title: str, description: str, unit: str, targets: Sequence[tuple[str, str]]
) -> timeseries.Panel:
    """Lines over time; ``targets`` are ``(expr, legend)``."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for ref, (expr, legend) in zip("ABCDEF", targets, strict=False):
        panel = panel.with_target(query(expr, legend, ref))
    return panel


def by_severity(panel: timeseries.Panel) -> timeseries.Panel:
    """Give each severity's series its own colour, beside its name."""
    for severity, colour in SEVERITY_COLOURS.items():
        fixed = models.FieldColor(mode=models.FieldColorModeId.FIXED, fixed_color=colour)
        panel = panel.override_by_name(
            severity, [models.DynamicConfigValue(id_val="color", value=fixed)]
        )
    return panel


def hide_columns(*names: str) -> models.DataTransformerConfig:
    """Leave out columns that are the same in every row."""
    return models.DataTransformerConfig(
        id_val="organize", options={"excludeByName": dict.fromkeys(names, True)}
    )


def columns(title: str, description: str, columns: Sequence[tuple[str, str]]) -> table.Panel:
    """A table with a row a site; ``columns`` are ``(name, expr)``, each with one number a site."""
    panel = table.Panel().title(title).description(description).datasource(SOURCE).unit("none")
    for ref, (_, expr) in zip("ABCDEF", columns, strict=False):
        panel = panel.with_target(rows_query(expr, ref))
    names = {f"Value #{ref}": name for ref, (name, _) in zip("ABCDEF", columns, strict=False)}
    merged = models.DataTransformerConfig(id_val="merge", options={})
    named = models.DataTransformerConfig(
        id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names}
    )
    return panel.with_transformation(merged).with_transformation(named)


def quantile(name: str, share: float) -> str:
    """A quantile of one of our histograms; ``le`` is kept, as `histogram_quantile` needs."""
    return f"histogram_quantile({share}, sum by (le) (rate({name}_bucket[$__rate_interval])))"


def rate(name: str, by: str, *, site: bool = True) -> str:
    """Per second, summed ``by`` these labels."""
    where = f"{{{SITE}}}" if site else ""
    return f"sum by ({by}) (rate({name}{where}[$__rate_interval]))"
