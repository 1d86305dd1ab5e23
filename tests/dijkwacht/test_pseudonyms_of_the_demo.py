"""The demo, whole: every pseudonym that people meet bears its mark, and the agent's owner opens each."""

import html
import re
import urllib.request
from pathlib import Path

import pytest

from dijkwacht.demo import SITE
from dijkwacht.in_process import InProcessAgent, InProcessCollector, free_port
from dijkwacht.kernels import compile_kernels
from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.owner.who import Who
from dijkwacht_agent.privacy import KEY_BYTES
from dijkwacht_agent.settings import write_private
from dijkwacht_lab.recordings import recording
from dijkwacht_lab.recordings import truth as read_truth
from dijkwacht_records.addresses import format_address, pack_address
from dijkwacht_records.pseudonyms import MARK, bare, spans

pytestmark = pytest.mark.timeout(600)  # kernels may have to be compiled first

FOR_PEOPLE = {"title", "desc", "message", "title_nl", "desc_nl"}
FOR_MACHINES = {"ip", "mac", "uid", "subject", "machine", "hostname"}
SCALE = 400.0
"""Times as fast as it happened."""


class Demo:
    """What the collector told, and the agent's state folder."""

    def __init__(self, state, incidents, stories, pages, disguise):
        self.state, self.incidents, self.stories = state, incidents, stories
        self.pages, self.disguise = pages, disguise


@pytest.fixture(scope="module", name="demo")
def _demo(tmp_path_factory):
    folder = recording("demo")
    compile_kernels(lambda _: None)
    state = tmp_path_factory.mktemp("demo")
    collector = InProcessCollector(state / "collector", free_port(0))
    collector.start()
    try:
        # One key in 256 makes a broadcast address of what was attacked, and then less is found.
        (state / "agent").mkdir(mode=0o700)
        write_private(state / "agent" / KEY_FILE, bytes(range(KEY_BYTES)))
        code = collector.join_code(SITE)
        agent = InProcessAgent(state / "agent", code, "till", folder / "traffic.pcap", SCALE)
        agent.start()
        agent.stop(wait=True)
        assert not agent.playing
        assert collector.settle(60.0)
        incidents, stories = collector.get("/v1/incidents"), collector.get("/v1/stories")
        paths = ["/", f"/sites/{SITE}/normal"]
        paths += [f"/incidents/{one['finding_info']['uid']}" for one in incidents]
        paths += [f"/stories/{one['unmapped']['story_uid']}" for one in stories]
        pages = {}
        for path in paths:
            for language in ("en", "nl"):
                with urllib.request.urlopen(f"{collector.url}{path}?lang={language}") as answer:
                    pages[f"{path} {language}"] = answer.read().decode()
    finally:
        collector.stop()
    return Demo(state / "agent", incidents, stories, pages, agent.disguise)


def texts(told, wanted):
    """Every text of those names in a JSON."""
    if isinstance(told, dict):
        for name, value in told.items():
            if name in wanted and isinstance(value, str):
                yield value
            else:
                yield from texts(value, wanted)
    elif isinstance(told, list):
        for value in told:
            yield from texts(value, wanted)


def shown(page):
    """What a page says: without tags, styles and addresses of links, labels for screens included."""
    labels = " ".join(re.findall(r'(?:title|aria-label|alt|placeholder)="([^"]*)"', page))
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", body) + " " + labels)


def unmarked(text):
    return [text[a:b] for a, b in spans(text) if text[a] != MARK]


def test_something_was_found(demo):
    assert len(demo.incidents) >= 4
    assert len(demo.stories) >= 2


def test_no_text_shows_a_pseudonym_without_its_mark(demo):
    found = [one for told in (demo.incidents, demo.stories) for one in texts(told, FOR_PEOPLE)]
    assert any(MARK in one for one in found)
    assert [one for one in found if unmarked(one)] == []


def test_no_page_shows_a_pseudonym_without_its_mark(demo):
    assert {
        path: unmarked(shown(page)) for path, page in demo.pages.items() if unmarked(shown(page))
    } == {}
    assert all("dijkwacht-agent who ~" in shown(page) for page in demo.pages.values())
    assert all(
        shown(page).count(" marks a pseudonym") == 1
        for path, page in demo.pages.items()
        if path.endswith("en")
    )


def test_fields_for_machines_stay_bare_and_the_json_says_once_that_they_are_pseudonyms(demo):
    for told in (*demo.incidents, *demo.stories):
        assert not any(one.startswith(MARK) for one in texts(told, FOR_MACHINES))
        assert told["metadata"]["labels"] == ["pseudonyms"]


def test_the_owner_opens_every_one_of_them(demo):
    who, hosts = Who(demo.state), {*read_truth(recording("demo")).hosts.values()}
    told = [
        one
        for each in (demo.incidents, demo.stories)
        for one in texts(each, FOR_PEOPLE | FOR_MACHINES)
    ]
    told += map(shown, demo.pages.values())
    pseudonyms = {bare(text[a:b]) for text in told for a, b in spans(text)}
    pseudonyms -= {"ADDRESS"}
    assert len(pseudonyms) >= 5
    for one in pseudonyms:
        found = who.open(one)
        assert not found.others
        if found.kind == "address":
            assert format_address(demo.disguise(pack_address(found.real))) == one
    real = {who.open(one).real for one in pseudonyms}
    assert real & hosts, (real, hosts)


def test_a_whole_title_is_opened_in_place(demo):
    who = Who(demo.state)
    title = next(t for t in texts(demo.incidents, {"title"}) if MARK in t)
    sentence, opened = who.sentence(title)
    assert opened
    for one in opened:
        assert one in sentence
        assert who.open(one).real in sentence


def test_what_the_agent_remembers_is_private_and_small(demo):
    path = Path(demo.state) / "devices.memory"
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_size < 1 << 20
    assert list(Who(demo.state).devices())
