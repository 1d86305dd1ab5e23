"""The generator as a module, and ways to read what it wrote."""

import importlib.util
import json
import re
import sys
import warnings
from types import SimpleNamespace

import promql_parser
import pytest

from dijkwacht_collector.metrics import Telemetry

VALUES = {
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$__range": "6h",
    "$site": ".+",
}


def substitute(expr, **values):
    """An expression as Grafana would send it."""
    for name, value in sorted((VALUES | values).items(), key=lambda item: -len(item[0])):
        expr = expr.replace(name, value)
    return expr


def metric_names(expr):
    """The metrics that a PromQL expression reads."""
    names = set()

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            names.add(node.name)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return names


def targets(dashboard):
    """Every (panel, target) of a dashboard."""
    return [(p, t) for p in dashboard["panels"] for t in p.get("targets", [])]


@pytest.fixture(scope="session")
def generator(root):
    """``dashboards/generate.py`` and what it imports from beside it."""
    folder = root / "dashboards"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("generate", folder / "generate.py")
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            # The SDK prefers its next schema, which Grafana 11 cannot read.
            warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
            spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(folder))
        for name in ("overview", "panels", "rules"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def rules(generator):
    return generator.alerts(), generator.recordings()


@pytest.fixture(scope="session")
def dashboard(root):
    return json.loads((root / "dashboards/overview.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def exposed(rules):
    """Names that a query may use: our exposition, the recording rules, Prometheus' own."""
    telemetry = Telemetry(["scan"], ["T1046"])
    telemetry.know_agent("bakery", "till")
    text = telemetry.render().decode()
    ours = set(re.findall(r"^([a-z_]+)(?:\{|\s)", text, re.MULTILINE))
    return ours | {recording.record for recording in rules[1]} | {"ALERTS", "up"}


@pytest.fixture(scope="session")
def promql():
    return SimpleNamespace(substitute=substitute, metric_names=metric_names, targets=targets)
