"""What people see on a terminal: blocks of its width, colours where wanted, nothing that data steers."""

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht import cli, progress
from dijkwacht.blocks import strange_blocks, tally
from dijkwacht.finding_blocks import finding_blocks, story_blocks
from dijkwacht.offline import replay_rows
from dijkwacht.recording import Recorded
from dijkwacht.strangest import Strange
from dijkwacht.terminal import NARROWEST, WIDEST, Screen, json_line, plain
from dijkwacht_collector.incidents import Call, Evidence, Part, Story
from dijkwacht_lab.recordings import recording

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DEMO = recording("demo") / "traffic.pcap"
STRANGE = Strange("doors", 1_700_000_000_000_000, 3.0, "10.0.0.1", "", 0, "a.example", {}, "Odd.")


@pytest.fixture(scope="module")
def incidents():
    return replay_rows(Recorded([DEMO]).rows())


def on_a_terminal(words, columns, **environ):
    """(what a terminal of so many columns got, what was said on standard error, the exit code)."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    unwanted = {"COLUMNS", "LINES", "NO_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    with subprocess.Popen(
        [sys.executable, "-m", "dijkwacht.cli", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=subprocess.PIPE,
        env=env | {"TERM": "xterm", "TZ": "Europe/Brussels"} | environ,
    ) as command:
        os.close(side)
        shown = bytearray()
        try:
            while part := os.read(main, 65_536):
                shown += part
        except OSError:  # how Linux says that nobody holds the other side any more
            pass
        os.close(main)
        said = command.stderr.read().decode()
    return shown.decode().replace("\r\n", "\n"), said, command.returncode


@pytest.mark.parametrize("columns", [60, 200])
def test_replay_shows_a_block_for_each_incident_below_its_story(columns):
    shown, said, code = on_a_terminal(["replay", DEMO], columns)
    assert code == 0
    assert COLOUR.search(shown)
    text = COLOUR.sub("", shown)
    assert max(map(len, text.splitlines())) <= min(columns, WIDEST)
    head, first = (block.splitlines() for block in text.strip().split("\n\n")[:2])
    assert head == [
        "Asks you to look · 192.168.20.66 · 4 incidents",
        "  2026-11-22 01:19:31 – 01:21:46 CET",
        "  called at 2026-11-22 01:19:31 CET (Scan)",
        "  called at 2026-11-22 01:21:38 CET (False identity)",
    ]
    assert first[:2] == [
        "  High · Scan · 192.168.20.66 → 192.168.20.12 and 2 others",
        "    2026-11-22 01:19:31 – 01:21:33 CET",
    ]
    rest = " ".join(line.strip() for line in first[2:])
    assert rest.startswith("192.168.20.66 knocked on about ")
    assert " have it looked at. " in rest
    assert "T1046 Network Service Discovery · expected by chance less than once in a cen" in rest
    assert "{" not in text
    # What stands in a block is not said a second time.
    assert "knocked" not in said
    found = "2 stories, 2 ask you to look; 5 incidents in 5,793 rows from 14,424 packets"
    assert found in said.splitlines()


def test_replay_shows_a_block_for_each_story_if_asked():
    shown, _, code = on_a_terminal(["replay", DEMO, "--stories"], 60)
    assert code == 0
    text = COLOUR.sub("", shown)
    assert max(map(len, text.splitlines())) <= 60
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    assert [block[0] for block in blocks] == [
        "Asks you to look · 192.168.20.66 · 4 incidents",
        "Asks you to look · 192.168.20.14 · 1 incident",
    ]
    said = " ".join(line.strip() for line in blocks[0])
    assert " · High · Scan · 192.168.20.66 knocked on about 985 doors" in said, "as it ended"
    assert " · Password guessing · " in said


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_none_are_wanted(environ):
    shown, _, code = on_a_terminal(["replay", DEMO], 80, **environ)
    assert code == 0
    assert "High · Scan" in shown
    assert "\x1b" not in shown


def test_json_on_a_terminal_if_it_is_asked_for():
    shown, said, code = on_a_terminal(["replay", DEMO, "--json"], 80)
    assert code == 0
    assert {json.loads(line)["class_uid"] for line in shown.splitlines()} == {2004}
    assert said == ""


def test_try_shows_a_block_for_each_row(root):
    detector = root / "detectors" / "dijkwacht_detectors" / "scan.py"
    shown, said, code = on_a_terminal(["try", detector, DEMO, "--top", "3"], 72)
    assert code == 0
    text = COLOUR.sub("", shown)
    assert max(map(len, text.splitlines())) <= 72
    heads = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(heads) == 3
    for head in heads:
        assert re.fullmatch(r"[\d.]+ · 2026-11-22 01:\d\d:\d\d CET · \S+ → \S+", head)
    assert "scores on 5,793 rows" in said


def test_text_in_a_pipe_if_it_is_asked_for(capsys):
    assert cli.main(["replay", str(DEMO), "--text"]) == 0
    out = capsys.readouterr().out
    assert "\n  High · Scan · " in out
    assert "\x1b" not in out


def test_what_takes_long_is_announced_before_its_block(capsys):
    assert cli.main(["replay", str(DEMO), "--text", "--speed", "1e8"]) == 0
    out, err = capsys.readouterr()
    assert "\n  High · Scan · " in out
    assert re.search(r"^2026-11-22 \S+ \S+  scan        192.168.20.66 ", err, re.MULTILINE)
    assert re.search(r"^2026-11-22 \S+ \S+  192.168.20.66 asks you to look$", err, re.MULTILINE)


def test_either_json_or_text(capsys):
    with pytest.raises(SystemExit):
        cli.main(["replay", "x", "--json", "--text"])
    assert "not allowed with" in capsys.readouterr().err


def a_story(incidents, *, machine="192.168.20.66", called=False, by="scan", more=0):
    first = incidents[0]
    return Story(
        "s1", first.site, machine, first.start, max(one.end for one in incidents),
        tuple(map(Part.of, incidents)), max(one.severity_id for one in incidents),
        (Call(first.start, by, first.kind, first.uid),) if called else (), more,
    )  # fmt: skip


def of_story(incident, uid="s1"):
    return msgspec.structs.replace(incident, story=uid)


def test_incidents_stand_below_the_head_of_their_story(incidents):
    one, two, other, lone = (
        of_story(incidents[n], uid) for n, uid in enumerate(("s1", "s1", "s2", ""))
    )
    stories = [
        a_story([one, two], called=True),
        msgspec.structs.replace(a_story([other], machine=""), uid="s2"),
    ]
    text = finding_blocks(stories, [one, other, two, lone], Screen(100))
    heads = [line for line in text.splitlines() if line.strip() and not line.startswith(" ")]
    assert heads[:2] == [
        "Asks you to look · 192.168.20.66 · 2 incidents",
        "For context · several machines · 1 incident",
    ]
    assert len(heads) == 3, "what is of no story has no head"
    # The last place: what is told together names the others before they come.
    places = [text.rindex(found.title_en[:40]) for found in (one, two, other, lone)]
    assert places == sorted(places)
    assert text.count("  called at ") == 1
    assert " (Scan)\n" in text
    assert "together they are not" not in text


def test_what_is_enough_only_together_is_said(incidents):
    parts = [of_story(one) for one in incidents[:2]]
    for shown in (
        finding_blocks([a_story(parts, called=True, by="fusion")], parts, Screen(100)),
        story_blocks([a_story(parts, called=True, by="fusion")], Screen(100)),
    ):
        assert (
            "By itself each of these would be too little to call you; together they are not."
            in shown
        )
        assert "fusion" not in shown


def test_a_story_is_one_block(incidents):
    parts = [of_story(one) for one in incidents[:3]]
    text = story_blocks([a_story(parts, called=True, more=4), a_story(parts[:1])], Screen(100))
    blocks = text.strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "Asks you to look · 192.168.20.66 · 7 incidents",
        "For context · 192.168.20.66 · 1 incident",
    ]
    for part in parts:
        assert part.title_en[:40] in " ".join(blocks[0].split())
    assert "and 4 more" in blocks[0]
    assert story_blocks([], Screen(100)) == ""


def taken(line):
    """Columns that ``line`` takes."""
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line)


@given(
    name=st.text() | st.text("例えば漢字 a"),
    columns=st.integers(NARROWEST, WIDEST),
    colours=st.booleans(),
)
def test_nothing_that_data_holds_is_obeyed(incidents, name, columns, colours):
    screen = Screen(columns, colours)
    evidence = Evidence(0, 1.0, bytes(16), 0, bytes(16), 0, {}, name)
    odd = msgspec.structs.replace(
        incidents[0],
        **dict.fromkeys(("title_en", "desc_en", "subject", "technique", "detector"), name),
        evidences=(evidence,),
    )
    told = a_story([odd], machine=name, called=True)
    shown = finding_blocks([told], [odd], screen) + finding_blocks([], [odd], screen)
    shown += story_blocks([told], screen)
    shown += strange_blocks([replace(STRANGE, name=name, sentence=name, src=name)], screen)
    text = COLOUR.sub("", shown) if colours else shown
    assert text.replace("\n", "").isprintable()
    assert max(map(taken, text.split("\n"))) <= columns


@given(st.text())
def test_text_that_is_printed_stays_as_it_is(text):
    shown = plain(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_line_of_json_says_the_same_and_steers_nothing(text):
    line = json_line({"name": text})
    assert json.loads(line) == {"name": text}
    assert line.endswith(b"\n")
    assert line[:-1].decode().isprintable()


@pytest.mark.parametrize("command", ["replay", "flows"])
def test_a_name_of_a_file_cannot_steer_the_terminal(tmp_path, command, capsys):
    path = tmp_path / "\x1b[2Jquiet\u202e.pcap"
    path.write_text("no recording")
    assert cli.main([command, str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isprintable()
    assert r"\x1b[2Jquiet\u202e.pcap: start: expected packets" in err


def test_an_error_cannot_steer_the_terminal(capsys):
    assert cli.main(["try", "\x1b[2J.py", "x"]) == 2
    assert capsys.readouterr().err == "dijkwacht try: \\x1b[2J.py: no such file\n"


def test_rows_cannot_steer_the_terminal(tmp_path, capsysbinary):
    log = {"ts": 5, "uid": "C", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2"}
    log |= {"id.resp_p": 53, "proto": "udp", "query": "a\x9b2J\u202e.example", "qtype": 1}
    (tmp_path / "dns.log").write_text(json.dumps(log) + "\n")
    assert cli.main(["flows", str(tmp_path / "dns.log"), "--table", "dns"]) == 0
    out = capsysbinary.readouterr().out
    assert rb"a\u009b2j\u202e.example" in out


def test_what_an_encoding_lacks_is_escaped(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert cli.main(["replay", str(DEMO), "--text"]) == 0
    assert rb"High \xb7 Scan \xb7 192.168.20.66 \u2192 192.168.20.12" in out.buffer.getvalue()


def test_the_tally_says_what_asks_for_a_person(incidents):
    calls, context = a_story(incidents[:1], called=True), a_story(incidents[:1])
    assert tally([], []) == "0 incidents"
    assert tally([], incidents[:1]) == "1 incident"
    assert tally([calls], incidents[:1]) == "1 story, 1 asks you to look; 1 incident"
    assert tally([context], incidents[:2]) == "1 story, none asks you to look; 2 incidents"
    assert tally([calls, context], incidents[:2]) == "2 stories, 1 asks you to look; 2 incidents"
    assert tally([calls] * 2, incidents[:2]) == "2 stories, 2 ask you to look; 2 incidents"


def test_a_time_that_no_calendar_has_is_a_dash():
    assert progress.clock_text(1 << 62) == "–"
