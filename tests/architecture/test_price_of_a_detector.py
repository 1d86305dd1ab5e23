"""What a new detector costs is what CONTRIBUTING says: one file, one scenario folder, words."""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

PACKAGES = ["agent", "records", "detectors", "collector", "lab", "dijkwacht"]
ASKED = [
    "tests/detectors", "tests/dijkwacht/test_shadow.py", "tests/scenarios", "tests/docs", "tests/collector/policy/test_policy.py",
    "tests/collector/console", "tests/lab/test_calibrate.py", "tests/architecture/test_layout.py",
]  # fmt: skip
DETECTOR = '''
"""Large answers: a flow that brought more than any before it on its site.

>>> from dijkwacht_detectors.checks import score_rows
>>> float(score_rows(LargeAnswer(), [{"time": 1, "resp_bytes": 1000}])[0])
1000.0
"""

import numpy as np

from dijkwacht_detectors.api import Explanation, WindowDetector


class LargeAnswer(WindowDetector):
    """Bytes that came back, as they are."""

    name = "large_answer"
    table = "flows"
    reads = ("resp_bytes",)
    entity = "site"
    kind = "other"
    technique = "T1048"
    facts = ("kilobytes",)

    def score(self, window, state):
        """One score a row."""
        moved = window["resp_bytes"].astype(float)
        return moved, moved[:, None] / 1000

    def explain(self, facts):
        """How much it was."""
        text = f"{{src}} took {facts['kilobytes']:.0f} kB from {{dst}}."
        return Explanation(text, text, text, text)
'''
ROW = (
    '{"table": "flows", "at": 1, "every": 5, "count": 9, "row": {"orig_h": "192.168.1.20", '
    '"resp_h": "203.0.113.9", "resp_p": 443, "resp_bytes": 9000, "local_orig": 1}}\n'
)


@pytest.fixture(scope="module")
def copy(root, tmp_path_factory):
    """The repository's files in another folder, without its history."""
    folder = tmp_path_factory.mktemp("price") / "dijkwacht"
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def run(copy, *command):
    paths = os.pathsep.join(str(copy / name) for name in PACKAGES)
    return subprocess.run(
        [sys.executable, *command], cwd=copy, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip


def failed(copy):
    """Names of the tests that fail, without parameters."""
    result = run(copy, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *ASKED)
    return set(re.findall(r"^(?:FAILED|ERROR) \S+?::(\w+)", result.stdout, re.MULTILINE))


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_exactly_what_contributing_names_is_to_be_paid(copy):
    before = failed(copy)

    package = copy / "detectors/dijkwacht_detectors"
    (package / "large_answer.py").write_text(textwrap.dedent(DETECTOR).lstrip())
    assert run(copy, "docs/generate.py").returncode == 0
    unpaid = failed(copy) - before
    assert unpaid == {
        "test_every_detector_has_a_case",
        "test_every_fact_of_every_shipped_detector_has_a_dutch_word",
    }

    case = copy / "tests/scenarios/large-answer"
    case.mkdir()
    (case / "README.md").write_text("# Nine pages are read\n\nNothing to see.\n")
    (case / "site.toml").write_text('name = "bakery"\n')
    (case / "rows.jsonl").write_text(ROW)
    (case / "expected.jsonl").write_text("")

    [words] = copy.glob("collector/**/console/words.py")
    text = words.read_text("utf-8")
    words.write_text(
        text.replace("FACT: Final = {\n", 'FACT: Final = {\n    "kilobytes": N_("kB"),\n')
    )
    [catalogue] = words.parent.glob("locale/nl/LC_MESSAGES/*.po")
    with catalogue.open("a", encoding="utf-8") as file:
        file.write('\nmsgid "kB"\nmsgstr "kB"\n')
    template = words.parent / "locale/console.pot"
    with template.open("a", encoding="utf-8") as file:
        file.write('\nmsgid "kB"\nmsgstr ""\n')
    compiled = run(
        copy, "-m", "babel.messages.frontend", "compile", "--statistics",
        "-i", str(catalogue), "-o", str(catalogue.with_suffix(".mo")),
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr
    assert failed(copy) - before == set()
