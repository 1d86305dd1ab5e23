"""The crafted recording: the file is what the script makes, and what is lost on the way is named."""

import msgspec
import pytest

from dijkwacht_agent import selftest as tests
from dijkwacht_agent.check import check_selftest
from dijkwacht_agent.cli import main
from dijkwacht_agent.selftest import CAPTURE, PATH
from dijkwacht_agent.settings import Settings, read_settings
from dijkwacht_records.selftest import ALL, SelfTestReply


def test_the_file_is_what_the_script_makes(tmp_path, python, request):
    pytest.importorskip("scapy")
    import subprocess  # noqa: PLC0415  the one test that needs it

    script = request.path.with_name("craft_selftest.py")
    made = tmp_path / "made.pcap"
    subprocess.run([python[0], script, made], check=True, capture_output=True)
    assert made.read_bytes() == CAPTURE.read_bytes()
    assert CAPTURE.stat().st_size < 8192


def test_everything_is_seen_by_an_agent_alone(tmp_path):
    found = list(check_selftest(Settings(), tmp_path))
    assert [(one.key, one.ok) for one in found] == [
        ("selftest_agent", True),
        ("selftest_alone", True),
    ]
    assert f"{len(ALL)} of {len(ALL)}" in found[0].sentence("en")
    assert "een poortscan" in found[0].sentence("nl")


def test_nothing_is_made_or_kept_in_the_state_folder(tmp_path):
    list(check_selftest(Settings(), tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_the_collector_did_not_see_is_named(joined, collector, capsys):
    seen = [name for name in ALL if name != "tls_name"]
    collector.script = [(200, msgspec.json.encode(SelfTestReply(seen, {})))]
    assert main(["--state", str(joined), "check", "--selftest", "--lang", "en"]) == 1
    out = capsys.readouterr().out
    assert f"! Self-test: the collector saw {len(ALL) - 1} of {len(ALL)}" in out
    assert "! Not seen: the name of a website." in out
    assert collector.paths == [PATH]
    assert collector.received == []


@pytest.mark.parametrize(
    "answer", [(404, b"404: Not Found"), (503, b""), (200, b"{}"), (None, b"")]
)
def test_a_collector_of_before_or_that_is_away(joined, collector, answer):
    collector.script = [answer]
    found = list(check_selftest(read_settings(joined, {}), joined))
    assert (found[-1].key, found[-1].ok) == ("selftest_unanswered", False)
    assert found[-1].sentence("nl")


def test_a_part_of_the_agent_that_is_broken_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(tests.Meter, "feed", lambda _self, _block: None)
    found = list(check_selftest(Settings(), tmp_path))
    assert not found[0].ok
    assert found[1].key == "selftest_lost"
