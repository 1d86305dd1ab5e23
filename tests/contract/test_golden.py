"""Bytes that agents in the field have sent: every later version must still read them.

``golden/vN/NAME.bin`` is a batch of contract version N, ``NAME.json`` what it says, ``columns.json`` the
columns that N froze. Files are only ever added: run ``python tests/contract/test_golden.py N`` after
adding a case to `CASES`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from dijkwacht_records import wire
from dijkwacht_records.addresses import HASHED_MAC, pack_address
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)
from dijkwacht_records.tables import DEFAULTS, NO_ANSWER, TABLE, TABLES

GOLDEN = Path(__file__).parent / "golden"
BOOT = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
NOON = 1_767_268_800_000_000
TILL, SERVER, V6 = map(pack_address, ("192.168.10.20", "203.0.113.7", "2001:db8::5"))
MAC = HASHED_MAC | 0x001B21 << 32 | 0xA1B2C3D4

EVERY_TABLE = [
    (0, (NOON, NOON - 40_000, 1, 0, 0, TILL, SERVER, 50_123, 443, 6, 0, 2, 26, 26, 5, 4, 517,
         3_204, 1, 0)),
    (2, (NOON + 1, 1, TILL, SERVER, 443, 0x0304, "brood.example")),
    (1, (NOON + 2, TILL, TILL, 53, "brood.example", 28, 1, 0, 2, 117)),
    (4, (NOON + 3, 2, MAC, MAC, TILL, MAC + 1, SERVER)),
    (3, (NOON + 4, MAC, 5, TILL, bytes(16), SERVER, "kassa")),
    (5, (NOON + 5, "cpu_ratio", 0.125)),
    (0, (NOON + 15_000_000, NOON - 40_000, 1, 1, 2, TILL, SERVER, 50_123, 443, 6, 7, 3, 25, 25, 2,
         2, 24, 24, 1, 0)),
    (6, (NOON + 16_000_000, 20, 16, 1, 1, 1, 1, 3, 0, 0, 8, 0, 4_096, -250)),
]  # fmt: skip

EDGES = [
    (5, (0, "", float("inf"))),
    (5, (1, "λ" * 512, float("-inf"))),
    (5, (2**61, "temperatuur_°C", -0.0)),
    (5, (3, "nan", float("nan"))),
    (1, (-1, V6, V6, 65_535, "münchen.example", 65_535, 0, NO_ANSWER, 0, 0)),
    (0, (2**40, 2**40, 2**60, 2**33, 2, V6, bytes(16), 0, 0, 255, 4_095, 12, 255, 255, 2**35, 0,
         2**45, 1, 0, 1)),
]  # fmt: skip


def _row(name: str, **values: object) -> tuple[int, tuple]:
    """A row of contract 2 with these ``values``; the others are not known."""
    number, columns = TABLES.index(TABLE[name]), TABLE[name].columns
    assert values.keys() <= {column.name for column in columns}
    return number, tuple(
        values.get(column.name, default)
        for column, default in zip(columns, DEFAULTS[number], strict=True)
    )


def _whole(rows: list, **later: dict[str, object]) -> Iterator[tuple[int, tuple]]:
    """Rows of contract 1 in contract 2; ``later``: by table, what its new columns hold."""
    for number, row in rows:
        table = TABLES[number]
        named = dict(zip((column.name for column in table.columns), row, strict=False))
        yield _row(table.name, **named, **later.get(table.name, {}))


FLOW = {"flow_id": 1, "orig_h": TILL, "resp_h": SERVER}
HINTS = (
    OPTIONS.put(SynOptions.TWENTY)
    | WINDOW.put(SynWindow.LARGE)
    | NAMED.put(Named.BY_ORIG)
    | SPEECH.put(Speech.TLS)
)
LATER = {
    "flows": {"hints": HINTS},
    "tls": {
        "proto": 17, "ja4": "q13d0312h3_55b375c5d22e_06cda9e17597", "hello_flags": 3,
        "server_version": 0x0304, "cipher": 0x1301, "alpn": 3, "server_fp": 0xC0FFEE, "resumed": 1,
        "cert_days": 90, "cert_age": -1, "cert_flags": 19, "alert": 41,
    },
    "dhcp": {"xid": 0xDEADBEEF, "options_hash": 0xFFFF},
    "arp": {"from_gateway": 1},
    "agent": {
        "rows_rejected": 1, "rows_waiting": 7, "disk_full": 1, "messages_shed": 3, "flows_counted": 90,
    },
}  # fmt: skip
EVERY_TABLE_2 = [
    *_whole(EVERY_TABLE, **LATER),
    _row("rpc", time=NOON + 17, **FLOW, resp_p=445, via=3, kind=1, iface=2, op=12, share=1, status=1,
         count=2),
    _row("rpc", time=NOON + 18, **FLOW, resp_p=445, via=3, kind=6, op=-1, share=15, status=1,
         count=900, reads=1, writes=400, creates=300, renames=190, deletes=9, read_bytes=65_536,
         write_bytes=2**33),
    _row("auth", time=NOON + 19, **FLOW, resp_p=88, service=3, method=3, etype=2, status=1, failed=5,
         succeeded=1, unknown=2, accounts=6),
    _row("talks", time=NOON + 20, **FLOW, resp_p=22, proto=6, first=2, turns=64, orig_turns=32,
         orig_size=36, orig_share=90, orig_sizes=3, resp_size=52, resp_share=41, resp_sizes=8,
         gap=1_500, gap_spread=12, unlike=4),
    _row("floods", time=NOON + 21, start=NOON - 900_000, resp_h=SERVER, resp_p=80, proto=6,
         flows=4_000, origs=64, resps=1, orig_pkts=4_100, orig_bytes=240, local_resp=1,
         hints=OPTIONS.put(SynOptions.NONE) | WINDOW.put(SynWindow.SCANNER)),
]  # fmt: skip
EXTREMES = {
    "int": (2**61, -1),
    "float": (-0.0, 0.5),
    "addr": (V6, bytes(16)),
    "text": ("λ" * 512, ""),
}
EDGES_2 = [
    *_whole(EDGES),
    *(
        _row(table.name, **{column.name: EXTREMES[column.kind][which] for column in table.columns})
        for table in TABLES[:11]  # those that there were: what is written stays
        for which in (0, 1)
    ),
]
NEIGHBOURS = [
    _row("ndp", time=NOON + 22, kind=136, eth_src=MAC, orig_h=V6, resp_h=V6, target_h=V6,
         link_mac=MAC + 1, flags=7, from_gateway=1),
    _row("ndp", time=NOON + 23, kind=134, eth_src=MAC, orig_h=V6, resp_h=V6, link_mac=MAC, flags=56,
         lifetime=65_535, preference=-1, prefixes=2, resolvers=3),
    *(
        _row("ndp", **{column.name: EXTREMES[column.kind][which] for column in TABLE["ndp"].columns})
        for which in (0, 1)
    ),
]  # fmt: skip
STEADY = [
    _row("flows", time=NOON + 7 * n, start=NOON + 7 * n - 40 - n % 5, flow_id=10**6 + n // 3,
         orig_h=TILL, resp_h=SERVER, orig_p=49_152 + n // 3, resp_p=443, proto=6,
         orig_bytes=n * n * 7_919 % 50_021, hints=HINTS)
    for n in range(400)
]  # fmt: skip
"""Every way in which numbers are laid out, and planes that are blocks of their own."""

CASES = {
    1: {"every_table": EVERY_TABLE, "edges": EDGES, "empty": [], "one_flow": EVERY_TABLE[:1]},
    2: {
        "every_table": EVERY_TABLE_2,
        "edges": EDGES_2,
        "empty": [],
        "one_flow": EVERY_TABLE_2[:1],
        "steady": STEADY,
        "neighbours": NEIGHBOURS,
    },
}
"""Version → name → rows with all of that version's columns."""


def _described(batch: wire.Batch) -> dict[str, object]:
    """What a batch says in the columns of its own version, as JSON that keeps every bit."""
    counts = CONTRACTS[batch.planes.contract].columns
    return {
        "site": batch.site,
        "agent": batch.agent,
        "boot": batch.boot.hex(),
        "seq": batch.seq,
        "sent": batch.sent,
        **({} if batch.planes.contract == 1 else {"made": batch.made}),
        "rows": [
            {"table": TABLES[number].name}
            | {
                column.name: value.hex() if isinstance(value, bytes | float) else value
                for column, value in zip(
                    TABLES[number].columns[: counts[number]], row[: counts[number]], strict=True
                )
            }
            for number, row in wire.unpack_rows(batch)
        ],
    }


def _encode(version: int, name: str) -> bytes:
    head = "bakkerij-vos", "kassa", BOOT, 42, NOON + 17_000_000
    return wire.encode(*head, CASES[version][name], version, made=1_234)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/*.bin")), ids=lambda p: p.stem)
def test_bytes_of_every_version_are_read(path):
    batch = wire.decode(path.read_bytes(), CONTRACTS)
    assert f"v{batch.planes.contract}" == path.parent.name
    assert _described(batch) == json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("version", "name"), [(version, name) for version in WRITES for name in CASES[version]]
)
def test_the_writer_still_writes_the_same(version, name):
    """Compression may differ between releases of zstd; what is compressed may not."""
    golden = (GOLDEN / f"v{version}" / f"{name}.bin").read_bytes()
    made = _encode(version, name)
    assert made[:4] == golden[:4]
    unpack = zstandard.ZstdDecompressor().decompress
    assert unpack(made[4:]) == unpack(golden[4:])


def test_every_version_and_every_table_has_bytes():
    assert CASES.keys() == set(range(1, max(WRITES) + 1))
    for version, cases in CASES.items():
        assert {path.stem for path in (GOLDEN / f"v{version}").glob("*.bin")} == cases.keys()
        numbers = {number for rows in cases.values() for number, _ in rows}
        assert numbers == set(range(len(CONTRACTS[version].columns)))


def _add(version: int) -> None:
    """Write what version lacks: its columns, and the cases that have no files."""
    folder = GOLDEN / f"v{version}"
    folder.mkdir(exist_ok=True)
    if not (folder / "columns.json").exists():
        tables = zip(TABLES, CONTRACTS[version].columns, strict=True)
        named = {table.name: [[c.name, c.kind] for c in table.columns[:n]] for table, n in tables}
        (folder / "columns.json").write_text(json.dumps(named, indent=1) + "\n", "utf-8")
    for name in CASES[version]:
        path = folder / f"{name}.bin"
        if path.exists():  # what is there is never written over
            continue
        path.write_bytes(_encode(version, name))
        text = json.dumps(
            _described(wire.decode(path.read_bytes(), CONTRACTS)), ensure_ascii=False, indent=1
        )
        path.with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    _add(int(sys.argv[1]))
