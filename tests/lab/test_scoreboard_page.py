"""The scoreboard as a page: complete in itself, and readable at the width of a phone."""

import base64
import hashlib
import html.parser
import math
import re
import subprocess

import pytest

from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.incidents import Evidence, Incident
from dijkwacht_lab.by_detector import (
    by_detector,
    entrants_of,
    promise_in_all,
    scores_of,
    why_missed,
)
from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.scoreboard import WEEK_S, Outcome, judge, summary
from dijkwacht_lab.scoreboard_page import check_writable, scoreboard_page, write_page
from dijkwacht_lab.scoreboard_plots import duration, margins, recall_bar, times, wilson_interval
from dijkwacht_records.addresses import UNSPECIFIED, pack_address
from dijkwacht_records.errors import SettingsError


class Reader(html.parser.HTMLParser):
    """Elements and their attributes; what is not closed as it was opened is wrong."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def incident():
    seen = Evidence(0, 9.0, pack_address("10.0.0.1"), 0, UNSPECIFIED, 0, {}, "", "scan")
    return Incident(
        uid="u1", site="s", kind="scan", detector="scan", technique="T1046", subject="10.0.0.1",
        ordinal=0, severity_id=3, confidence=60, rarity=0.1, start=0, end=0, count=1,
        title_en="", title_nl="", desc_en="", desc_nl="", evidences=(seen,),
    )  # fmt: skip


def line(kind, file, folder, *incidents, **outcome):
    rule = "all benign" if kind.startswith("benign") else "all: src 10.0.0.1"
    return judge(Labelled(kind, file, folder / file, rule, "", 100), Outcome(incidents, **outcome))


@pytest.fixture
def result(tmp_path):
    """What `evaluate` makes of a few files, one named to do harm."""
    long = "lateral/" + "very_long_name_of_a_capture" * 6 + ".pcap"
    judged = [
        line("scan.x", "a", tmp_path, incident(), rows=9, flows=9, scored={"scan": (9, 8.0)}),
        line("scan.x", "<b>&", tmp_path, rows=9, scored={"scan": (9, 1.0)}),
        line("lateral.x", long, tmp_path),
        line("benign.x", "c", tmp_path, incident(), watched_s=WEEK_S, scored={"scan": (9, 99.0)}),
    ]
    entrants = entrants_of(DetectorSet())
    found = summary(judged) | {
        "detectors": by_detector(judged, entrants, {"scan": ["a"]}),
        "promise": promise_in_all(judged, entrants),
        "against": {
            "set": "<other>",
            "caught": {"both": 0, "only_here": ["a"], "only_there": [], "neither": 2, "p": 1.0},
            "false": {"both": 1, "only_here": [], "only_there": [], "neither": 0, "p": 1.0},
        },
    }
    for told, one in zip(found["files"], judged, strict=True):
        told |= {"scores": scores_of(one, entrants), "why_missed": why_missed(one, entrants)}
    return found


def test_the_page_needs_nothing_else(result):
    page = scoreboard_page(result, "A", "abc1234")
    read = Reader(page)
    assert {tag for tag, _ in read.found} & {"script", "link", "img", "iframe", "image"} == set()
    for _, attributes in read.found:
        assert attributes.keys() & {"src", "href", "style", "onclick", "onload"} == set()
    assert not re.search(r"url\(|@import|//", page.replace("<!doctype html>", ""))
    [policy] = [a["content"] for _, a in read.found if "http-equiv" in a]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    checksum = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{checksum}'"


def test_the_page_tells_everything(result):
    read = Reader(scoreboard_page(result, "A", "abc1234"))
    text = " ".join(read.text)
    for words in (
        "abc1234, half A of the captures", "1 of 3", "1 of 1", "1 of 2, 50%", "Time to detect",
        "nearest: scan 1.0 of", "<b>&", "Against <other>", "caught by this set only", "1 × scan",
    ):  # fmt: skip
        assert words in text
    cells = [a["data-label"] for tag, a in read.found if "data-label" in a]
    rows = len(cells) / len(set(cells))
    assert rows == 1, "only scan had a say"
    marks = [a["class"] for tag, a in read.found if tag == "line"]
    assert (marks.count("tick"), marks.count("benign"), marks.count("axis")) == (3, 1, 1)


def test_a_page_of_nothing_is_a_page(tmp_path):
    entrants = entrants_of(DetectorSet())
    nothing = summary([]) | {
        "detectors": by_detector([], entrants),
        "promise": promise_in_all([], entrants),
    }
    read = Reader(scoreboard_page(nothing, "", "abc1234"))
    assert "all captures of the lists" in " ".join(read.text)
    assert "section" not in {tag for tag, _ in read.found}


def test_where_it_cannot_be_written_is_said_before_the_work(tmp_path):
    for place in (tmp_path, tmp_path / "none" / "page.html"):
        with pytest.raises(SettingsError, match="cannot be written there"):
            check_writable(place)
    check_writable(tmp_path / "page.html")
    with pytest.raises(SettingsError, match="No such file"):
        write_page(tmp_path / "none" / "page.html", "")


def x_of(svg, kind):
    return [float(x) for x in re.findall(rf'class="{kind}" x1="([\d.]+)"', svg)]


def test_a_score_stands_by_its_distance_from_the_line():
    svg = margins([("a", 4.0), ("b", 9.0), ("c", 400.0)], [("d", -6.0)], 4.0)
    assert x_of(svg, "tick") == [50.0, 74.75, 99.5]
    assert x_of(svg, "benign") == [0.5]
    assert x_of(svg, "axis") == [50.0]


def test_without_a_line_scores_stand_between_lowest_and_highest():
    svg = margins([("a", 20.0)], [("b", 10.0), ("c", 15.0)], None)
    assert (x_of(svg, "tick"), x_of(svg, "benign"), x_of(svg, "axis")) == ([99.5], [0.5, 50.0], [])
    assert x_of(margins([("a", 7.0)], [], None), "tick") == [50.0]


def test_times_stand_by_their_logarithm():
    svg = times([("a", 0.0), ("b", 100.0), ("c", 1e9)], 100.0)
    assert x_of(svg, "tick") == [0.5, 50.0, 99.5]
    assert "a: 0 s" in svg


@pytest.mark.parametrize(("some", "of", "low", "high"), [(0, 5, 0, 0.4345), (5, 5, 0.5655, 1)])
def test_wilson_intervals(some, of, low, high):
    found = wilson_interval(some, of)
    assert math.isclose(found[0], low, abs_tol=1e-4)
    assert math.isclose(found[1], high, abs_tol=1e-4)
    assert f"{found[0]:.0%} to {found[1]:.0%}" in recall_bar(some, of)


def test_durations_are_in_the_unit_that_people_use():
    assert [duration(s) for s in (0, 0.25, 89, 91, 5400, 129_600)] == [
        "0 s", "0.25 s", "89 s", "1.5 min", "1.5 h", "1.5 d",
    ]  # fmt: skip


MEASURE = """<!doctype html><title>-</title>
<iframe src="page.html" width="390" height="800"></iframe>
<iframe src="page.html" width="1280" height="800"></iframe>
<pre></pre>
<script>
addEventListener("load", () => {
  document.querySelector("pre").textContent = [...document.querySelectorAll("iframe")].map((f) => {
    const d = f.contentDocument, s = f.contentWindow.getComputedStyle(d.querySelector(".row .bars svg"));
    return d.documentElement.scrollWidth + " of " + d.documentElement.clientWidth + ", bars " + s.height;
  }).join(";");
});
</script>"""


@pytest.mark.tools("chromium")
def test_nothing_is_cut_off_in_a_browser(result, tmp_path):
    write_page(tmp_path / "page.html", scoreboard_page(result, "A", "abc1234"))
    (tmp_path / "measure.html").write_text(MEASURE)
    shown = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "measure.html").as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    [(phone, narrow, bars), (desk, wide, _)] = [
        tuple(map(int, found)) for found in re.findall(r"(\d+) of (\d+), bars (\d+)px", shown)
    ]
    assert narrow <= 390 < wide
    assert (phone, desk) == (narrow, wide), "nothing is wider than its window"
    assert bars == 24, "its own style is let in by its own policy"
