"""A packet becomes an incident while it is still warm, and nothing private is kept on the way."""

import base64
import sqlite3
from types import SimpleNamespace

import pytest
import zstandard

from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_records import wire
from dijkwacht_records.addresses import V4_PREFIX, format_address, pack_address
from dijkwacht_records.tables import AGENT, TABLES

EVERY = range(PARTITIONS)


def read(journal, position=1, **limits):
    """Entries of all partitions from ``position`` on."""
    return journal.read(EVERY, dict.fromkeys(EVERY, position - 1), **limits).entries


pytestmark = [pytest.mark.live("nmap", "ping"), pytest.mark.timeout(400)]

APPEARS_US = 5_000_000


def address_forms(text):
    """Every way in which an address could lie in a file."""
    packed = pack_address(text)
    four = packed[12:]
    return {
        f"{text} mapped": packed,
        f"{text} packed": four,
        f"{text} little-endian": four[::-1],
        f"{text} dotted": text.encode(),
        f"{text} in hexadecimal": four.hex().encode(),
        f"{text} as a number": str(int.from_bytes(four, "big")).encode(),
        f"{text} in a reverse name": ".".join(reversed(text.split("."))).encode(),
        f"{text} in UTF-16": text.encode("utf-16-le"),
    }


def mac_forms(text):
    packed = bytes.fromhex(text.replace(":", ""))
    return {
        f"{text} packed": packed,
        f"{text} little-endian": packed[::-1],
        f"{text} with colons": text.encode(),
        f"{text} with dashes": text.replace(":", "-").encode(),
        f"{text} bare": packed.hex().encode(),
        f"{text} as a number": str(int.from_bytes(packed, "big")).encode(),
        f"{text} as EUI-64": bytes((packed[0] ^ 2,)) + packed[1:3] + b"\xff\xfe" + packed[3:],
    }


def payload_forms(marker):
    return {
        "payload": marker[:8],
        "payload in hexadecimal": marker[:8].hex().encode(),
        "payload in base64": base64.b64encode(marker[:9])[:11],
        "payload reversed": marker[:8][::-1],
    }


@pytest.fixture(scope="module")
def stored(watched):
    """All the collector holds: its files, its batches in the open, their rows."""
    files = {
        str(path.relative_to(watched.collector)): path.read_bytes()
        for path in sorted(watched.collector.rglob("*"))
        if path.is_file()
    }
    journal = Journal(watched.collector / "journal")
    journal.open()
    entries, position = [], journal.first
    while more := read(journal, position):
        entries += more
        position = more[-1].position + 1
    journal.close()
    batches = [entry.payload for entry in entries if entry.kind == "batch"]
    plain = [zstandard.ZstdDecompressor().decompressobj().decompress(b[4:]) for b in batches]
    rows = [row for batch in batches for row in wire.unpack_rows(wire.decode(batch))]
    return SimpleNamespace(files=files, plain=plain, rows=rows)


@pytest.fixture(scope="module")
def pseudonym(watched):
    key = (watched.agent / KEY_FILE).read_bytes()
    return Pseudonyms(key, LocalNetworks()).address(pack_address(watched.attacker))


def test_the_incident_appears_within_five_seconds_of_the_scan_s_end(watched):
    assert watched.seen - watched.scan_ended <= APPEARS_US


def test_it_names_the_attacker_by_pseudonym_and_says_when(watched, pseudonym):
    finding = max(watched.scans, key=lambda each: each["severity_id"])
    assert finding["severity_id"] >= 3
    sources = {each["src_endpoint"]["ip"] for each in finding["evidences"]}
    assert sources == {format_address(pseudonym)}
    assert pseudonym != pack_address(watched.attacker)
    assert watched.scan_began <= finding["start_time"] * 1000 + 1000
    # event time is the latest that the agent has named by then, a heartbeat's perhaps
    assert finding["end_time"] * 1000 <= watched.seen
    assert finding["finding_info"]["attacks"][0]["technique"]["uid"] == "T1046"


def test_packets_and_rows_add_up(watched, stored):
    health = [row for number, row in stored.rows if TABLES[number] is AGENT][-1]
    said = dict(zip((column.name for column in AGENT.columns), health, strict=True))
    dropped = sum(value for name, value in said.items() if name.startswith("dropped_"))
    assert said["packets_seen"] == said["packets_metered"] + dropped
    assert said["packets_seen"] > 2000
    # The last heartbeat counts the rows before it.
    assert len(stored.rows) == said["rows_made"] + 1 - said["rows_shed"]
    assert said["rows_shed"] == 0
    assert watched.metric("dijkwacht_rows_total", site="bakery") == len(stored.rows)
    assert watched.metric("dijkwacht_engine_rows_total", site="bakery") == len(stored.rows)
    assert watched.metric("dijkwacht_agent_packets_total", site="bakery") == said["packets_seen"]


def test_the_collector_holds_files_of_every_kind(stored):
    names = " ".join(stored.files)
    for kind in ("journal/", "incidents.db", "incidents.jsonl", "sites.db", "checkpoint"):
        assert kind in names
    assert len(stored.plain) > 1


def test_what_the_search_would_find_is_there_as_pseudonym(stored, pseudonym):
    """The search works: what may be stored is found by the same means."""
    assert pseudonym.startswith(V4_PREFIX)
    assert any(pseudonym in plain for plain in stored.plain)
    dotted = format_address(pseudonym).encode()
    assert dotted in stored.files["incidents.jsonl"]


def test_nothing_private_is_stored_in_any_form(watched, stored):
    forms = payload_forms(watched.marker)
    for text in watched.inside:
        forms |= address_forms(text)
    for text in watched.macs:
        forms |= mac_forms(text)
    held = stored.files | {f"batch {at}": plain for at, plain in enumerate(stored.plain)}
    found = [(form, where) for where, text in held.items() for form in forms if forms[form] in text]
    assert not found


def test_no_value_of_any_row_is_an_inside_address_or_a_hardware_address(watched, stored):
    addresses = {pack_address(text) for text in watched.inside}
    macs = {int(text.replace(":", ""), 16) for text in watched.macs}
    for number, row in stored.rows:
        assert not addresses.intersection(v for v in row if isinstance(v, bytes)), TABLES[
            number
        ].name
        assert not macs.intersection(v for v in row if isinstance(v, int)), TABLES[number].name


def test_the_database_says_no_inside_address_in_any_column(watched):
    for name in ("incidents.db", "sites.db"):
        with sqlite3.connect(watched.collector / name) as database:
            dump = "\n".join(database.iterdump())
        database.close()
        for text in (*watched.inside, *watched.macs):
            assert text not in dump
