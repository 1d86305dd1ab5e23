"""Label columns of foreign data change nothing: byte-equal incidents, whatever stands in them."""

import random

import msgspec
import pytest

from dijkwacht.offline import replay_rows
from dijkwacht.recording import Recorded

pytestmark = pytest.mark.usefixtures("loud")

HEADER = (
    "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t"
    "proto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\tresp_pkts"
)


def scan_log(label):
    """A scan of 300 doors, as Zeek writes it, with a label in every way labels are added."""
    lines = (
        f"{1_700_000_000 + port / 50}\tC{port}\t10.0.0.66\t40000\t10.0.0.2\t{port}\ttcp\t0.001\t0"
        f"\t0\tREJ\tSr\t1\t1\t{label()}\t{label()}   {label()}\n"
        for port in range(1, 301)
    )
    return "".join((f"{HEADER}\tlabel\tdetailedlabel   Mode\n", *lines))


def incidents(path):
    return [msgspec.json.encode(incident) for incident in replay_rows(Recorded([path]).rows())]


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_a_scan_change_nothing(tmp_path, seed):
    rng = random.Random(seed)
    path = tmp_path / "conn.log.labeled"
    path.write_text(scan_log(lambda: "Malicious"))
    before = incidents(path)
    assert any(b'"scan"' in incident for incident in before)
    words = ["Benign", "", "-", "(empty)", "10.9.9.9", "é" * 9, "#fields", "{", "1700000000"]
    path.write_text(scan_log(lambda: rng.choice(words)))
    assert incidents(path) == before


@pytest.mark.captures
@pytest.mark.parametrize(
    "pattern", ["exfil/*.labeled", "c2/*labeled-conn.log", "benign/*008*.labeled"]
)
def test_labels_of_the_captures_change_nothing(captures, tmp_path, pattern):
    (source,) = captures.glob(pattern)
    rng = random.Random(7)
    changed = tmp_path / "changed"
    with source.open() as whole, changed.open("w") as copy:
        for line in whole:
            columns = line.rstrip("\n").split("\t")
            if not line.startswith("#"):
                columns[-2:] = [f"{rng.getrandbits(40):x}", f"{rng.getrandbits(40):x}"]
            copy.write("\t".join(columns) + "\n")
    assert changed.read_bytes() != source.read_bytes()
    assert incidents(changed) == incidents(source)
