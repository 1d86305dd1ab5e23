"""Label columns of foreign data change nothing: byte-equal incidents, whatever stands in them."""

import csv
import json
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


@pytest.mark.captures
def test_labels_of_argus_change_nothing(captures, tmp_path):
    (source,) = captures.glob("scan/*.binetflow")
    rng = random.Random(7)
    header, *lines = source.read_text().splitlines()
    assert header.endswith(",Label")
    changed = tmp_path / "changed.binetflow"
    words = ["flow=From-Botnet-V42", "Benign", header, "", "\u00e9"]
    changed.write_text(
        "\n".join([header, *(f"{line.rpartition(',')[0]},{rng.choice(words)}" for line in lines)])
    )
    assert list(Recorded([changed]).rows()) == list(Recorded([source]).rows())
    assert incidents(changed) == incidents(source)


LABELS_OF_METRICS = {
    "Attack", "Run", "Mode", "Attack Type", "Relative Time (s)", "Encrypted Files",
    "Encryption Speed (o/s)", "Encrypted Disk Usage (%)", "Host", "Measurement",
}  # fmt: skip


@pytest.mark.captures
@pytest.mark.parametrize("folder", ["captures", "captures-quiet"])
def test_labels_of_metrics_change_nothing(captures, tmp_path, folder):
    """All tables of a machine under attack: other labels, other words, none at all."""
    sources = sorted((captures.parent / folder / "hostmetric").glob("hostmetrics-*.csv"))
    assert len(sources) == 5
    rng = random.Random(7)
    words = ["Idle", "Attack", "0", "1", "", "CPU Usage (%)", "99:99", "\u00e9"]
    for source in sources:
        with source.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file)
        labels = [place for place, name in enumerate(header) if name in LABELS_OF_METRICS]
        assert len(labels) >= 5
        before = list(Recorded([source]).rows())
        assert len({metric for _, (_, metric, _) in before}) >= 3
        changed = tmp_path / source.name
        for line in lines:
            for place in labels:
                line[place] = rng.choice(words)
        write(changed, [header, *lines])
        assert list(Recorded([changed]).rows()) == before
        write(
            changed,
            [[c for p, c in enumerate(line) if p not in labels] for line in [header, *lines]],
        )
        assert list(Recorded([changed]).rows()) == before


def write(path, lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


EVE_SCAN = {
    "event_type": "flow", "src_ip": "10.0.0.66", "src_port": 40000, "dest_ip": "10.0.0.2",
    "proto": "TCP",
}  # fmt: skip


def eve_log(label):
    """The same scan, as Suricata writes it, with alerts between its flows."""
    lines = []
    for port in range(1, 301):
        at = f"2023-11-14T22:13:{20 + port / 50:09.6f}Z"
        counters = {
            "pkts_toserver": 1, "pkts_toclient": 1, "bytes_toserver": 60, "bytes_toclient": 60,
            "start": at, "end": at, "alerted": label(),
        }  # fmt: skip
        tcp = {"tcp_flags_ts": "02", "tcp_flags_tc": "14"}
        event = EVE_SCAN | {"timestamp": at, "dest_port": port, "flow_id": port}
        lines += [
            event | {"flow": counters, "tcp": tcp, "metadata": label(), "label": label()},
            event | {"event_type": "alert", "flow": counters, "alert": {"signature": label()}},
        ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_alerts_of_suricata_change_nothing(tmp_path):
    rng = random.Random(1)
    path = tmp_path / "eve.json"
    path.write_text(eve_log(lambda: "ET MALWARE"))
    before = incidents(path)
    assert any(b'"scan"' in incident for incident in before)
    path.write_text(eve_log(lambda: rng.choice(["", None, 7, ["x"], {"event_type": "flow"}])))
    assert incidents(path) == before
