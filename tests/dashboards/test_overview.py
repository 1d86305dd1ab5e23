"""What can be known of a dashboard without Grafana."""

import itertools
import re

import promql_parser
from grafana_foundation_sdk.cog.encoder import JSONEncoder

# Of Grafana's own list of unit ids, those that we use.
UNITS = {"none", "percentunit", "s", "bytes", "pps", "cps", "rowsps"}
TRANSFORMATIONS = {"merge", "organize"}


def panels(dashboard):
    return [p for p in dashboard["panels"] if p["type"] != "row"]


def test_generated_files_are_what_the_generator_writes_now(generator, root):
    for path, text in generator.generated().items():
        assert (root / "dashboards" / path).read_text(encoding="utf-8") == text, (
            f"{path} is stale: run python dashboards/generate.py"
        )


def test_it_loads_back_through_the_sdk(dashboard, root, generator):
    assert generator  # has imported the SDK, which warns once
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    again = JSONEncoder(sort_keys=True, indent=2).encode(Dashboard.from_json(dashboard)) + "\n"
    assert again == (root / "dashboards/overview.json").read_text(encoding="utf-8")


def test_ids_are_unique_and_stable(dashboard):
    assert dashboard["uid"] == "dijkwacht-overview"
    assert len(dashboard["uid"]) <= 40
    ids = [p["id"] for p in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert 0 not in ids
    for panel in panels(dashboard):
        refs = [t["refId"] for t in panel["targets"]]
        assert len(refs) == len(set(refs))
        assert all(refs)


def test_panels_do_not_overlap_and_fit_the_grid(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        pos = panel["gridPos"]
        assert pos["x"] + pos["w"] <= 24
        cells = set(
            itertools.product(
                range(pos["x"], pos["x"] + pos["w"]), range(pos["y"], pos["y"] + pos["h"])
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_query_parses_for_one_site_many_and_all(dashboard, promql):
    for site in ("bakery", "bakery|clinic", ".+"):
        for panel, target in promql.targets(dashboard):
            expr = promql.substitute(target["expr"], **{"$site": site})
            assert "$" not in expr, panel["title"]
            promql_parser.parse(expr)


def test_every_metric_asked_for_is_exposed(dashboard, promql, exposed):
    exprs = [target["expr"] for _, target in promql.targets(dashboard)]
    exprs += [a["expr"] for a in dashboard["annotations"]["list"]]
    used = set().union(*(promql.metric_names(promql.substitute(expr)) for expr in exprs))
    assert used <= exposed


def test_every_metric_exposed_is_shown_or_named_as_not(dashboard, promql, exposed):
    """A metric that no panel shows is a metric that nobody would miss."""
    exprs = [promql.substitute(t["expr"]) for _, t in promql.targets(dashboard)]
    used = set().union(*map(promql.metric_names, exprs))
    unseen = {
        name
        for name in exposed
        if name.startswith("dijkwacht_") and name.removesuffix("_bucket") not in used
        and not name.endswith(("_sum", "_count", "_bucket"))
    } - used  # fmt: skip
    assert unseen == {
        "dijkwacht_agent_clock_offset_seconds",  # a rule watches it
        "dijkwacht_agent_disk_full",  # and it
        "dijkwacht_agent_rows_untracked_total",
        "dijkwacht_batches_duplicate_total",
        "dijkwacht_journal_bytes_total",
    }


def test_legends_name_labels_that_the_query_keeps(dashboard, promql):
    for panel, target in promql.targets(dashboard):
        for label in re.findall(r"{{(\w+)}}", target.get("legendFormat", "")):
            grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
            assert not grouped or any(label in group for group in grouped), panel["title"]


def test_a_table_of_several_queries_names_each(dashboard):
    """Grafana calls the number of a table's query ``Value #A``, by its reference."""
    tables = [p for p in panels(dashboard) if p["type"] == "table" and len(p["targets"]) > 1]
    shown = []
    for rows in tables:
        merge, organize = rows["transformations"]
        assert merge["id"] == "merge"
        names = organize["options"]["renameByName"]
        assert list(names) == [f"Value #{target['refId']}" for target in rows["targets"]]
        assert all(
            "by (site)" in target["expr"] or target["expr"].startswith("site:")
            for target in rows["targets"]
        )
        shown.append(list(names.values()))
    assert shown == [
        ["Made", "Durable", "Shed", "Waiting", "Rejected"],
        ["Budget a week", "Interruptions", "Hours watched", "Realised ÷ promised, 4 weeks"],
    ]


def test_units_and_transformations_are_known(dashboard):
    for panel in panels(dashboard):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        for transformation in panel.get("transformations", []):
            assert transformation["id"] in TRANSFORMATIONS


def test_the_data_source_is_the_variable(dashboard):
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    for panel, target in ((p, t) for p in panels(dashboard) for t in p["targets"]):
        assert panel["datasource"] == wanted
        assert target["datasource"] == wanted
    kinds = {v["name"]: v for v in dashboard["templating"]["list"]}
    assert kinds["datasource"]["type"] == "datasource"
    assert kinds["site"]["datasource"] == wanted
    assert dashboard["annotations"]["list"][0]["datasource"] == wanted


def test_it_follows_the_rules_of_grafanas_own_linter(dashboard):
    assert dashboard["editable"] is False
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            expr = target["expr"]
            for window in re.findall(r"(?:rate|increase|irate)\(.*?\[([^\]]+)\]", expr):
                assert window in {"$__rate_interval", "$__range"}
            if "histogram_quantile" in expr:
                assert "by (le" in expr
            assert not re.search(r'="\$', expr), "a variable with many values needs =~"
    for variable in dashboard["templating"]["list"]:
        assert variable["label"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2, "on a change of the time range"
            assert variable["allValue"] == ".+"


def test_states_are_words_beside_colours(dashboard):
    agents = next(p for p in dashboard["panels"] if p["type"] == "state-timeline")
    (mapping,) = agents["fieldConfig"]["defaults"]["mappings"]
    assert [o["text"] for o in mapping["options"].values()] == ["up", "late", "offline"]
