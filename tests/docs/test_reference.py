"""What the docs say of the code is what the code says."""

import importlib.util
import re

import pytest

from dijkwacht_collector.metrics import Telemetry

NAMES = ["records", "errors", "metrics", "settings", "system", "detectors", "oracles"]


@pytest.fixture(scope="module")
def generate(root):
    spec = importlib.util.spec_from_file_location("docs_generate", root / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_fresh(generate, root, name):
    written = (root / f"docs/reference/{name}.md").read_text("utf-8")
    assert written == generate.PAGES[name](), "run: make docs"


def test_every_page_is_tested(generate, root):
    assert sorted(generate.PAGES) == sorted(NAMES)
    assert {p.stem for p in (root / "docs/reference").glob("*.md")} == set(NAMES)


def test_nothing_is_left_without_a_sentence(generate):
    for name, page in generate.PAGES.items():
        for line in page().splitlines():
            if line.startswith("| `"):
                assert re.fullmatch(r"\|.* [^|]+ \|", line), f"{name}: {line}"
                assert not re.search(r"\|\s*\|$", line), f"{name}: {line}"


def test_metrics_keep_the_rules_of_prometheus():
    telemetry = Telemetry(["scan"], ["T1046"])
    telemetry.know_agent("site", "agent")
    text = telemetry.render().decode()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE):
        assert name.startswith("dijkwacht_")
        assert name.endswith("_total") == (kind == "counter"), name
    labels = set(re.findall(r"[{,](\w+)=", text)) - {"le"}
    assert labels <= {"site", "agent", "detector", "severity", "technique", "reason"}
