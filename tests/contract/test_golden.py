"""Bytes that agents in the field have sent: every later version must still read them.

``golden/vN/NAME.bin`` is a batch of contract version N, ``NAME.json`` what it says. Files are only
ever added: run ``python tests/contract/test_golden.py N NAME`` after adding a case to `CASES`.
"""

import json
import sys
from pathlib import Path

import pytest
import zstandard

from dijkwacht_records import wire
from dijkwacht_records.addresses import HASHED_MAC, pack_address
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.tables import NO_ANSWER, TABLES

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

CASES = {
    1: {"every_table": EVERY_TABLE, "edges": EDGES, "empty": [], "one_flow": EVERY_TABLE[:1]},
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
    return wire.encode(*head, CASES[version][name], version)


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


def _add(version: int, name: str) -> None:
    path = GOLDEN / f"v{version}" / f"{name}.bin"
    with path.open("xb") as file:  # "x": what is there is never written over
        file.write(_encode(version, name))
    batch = wire.decode(path.read_bytes(), CONTRACTS)
    text = json.dumps(_described(batch), ensure_ascii=False, indent=1)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        _add(int(sys.argv[1]), wanted)
