"""Print exactly what leaves the network: batches, read back from the bytes that would be sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from dijkwacht_agent.batches import Parcel
from dijkwacht_records.addresses import format_address, format_mac
from dijkwacht_records.closed_lists import is_named, name
from dijkwacht_records.pseudonyms import marked
from dijkwacht_records.table import Column
from dijkwacht_records.tables import HARDWARE_ADDRESSES, TABLES, Row, Value
from dijkwacht_records.wire import Batch, decode, unpack_rows

SENTENCES: Final = {
    "en": {
        "batch": "batch {seq} of {agent} at {site}: {size} bytes, {rows} rows",
        "rest": "What begins with ~ is a pseudonym (printed with the mark, sent without). A field that is 0 or empty is not printed. Nothing else leaves but what shows who the agent is, and a word while its disk is full: no payload, no key.",
        "sum": "batches: {batches}, bytes on the wire: {size}, rows: {rows}, bytes a row: {each:.1f}",
        "none": "nothing was seen, so nothing would leave",
    },
    "nl": {
        "batch": "zending {seq} van {agent} bij {site}: {size} bytes, {rows} regels",
        "rest": "Wat met ~ begint is een schuilnaam (hier met dat teken, verstuurd zonder). Een veld dat 0 of leeg is, staat er niet bij. Verder gaat alleen het toegangsbewijs van de agent mee, en één woord zolang zijn schijf vol is: geen inhoud, geen sleutel.",
        "sum": "zendingen: {batches}, bytes over de lijn: {size}, regels: {rows}, bytes per regel: {each:.1f}",
        "none": "er is niets gezien, dus er zou niets weggaan",
    },
}

DUTCH: Final = {
    "flows": "deel van een verbinding: wat er bewoog sinds het vorige deel",
    "dns": "vraag naar een internetnaam, het antwoord, of beide",
    "tls": "begin van een versleutelde verbinding",
    "dhcp": "apparaat dat om een adres vraagt, of dat krijgt",
    "arp": "apparaten die elkaar op het netwerk zoeken",
    "system": "een meting aan dit apparaat, zoals hoe druk het is",
    "agent": "hoe het met de agent zelf gaat",
    "rpc": "opdrachten van de ene computer aan de andere, en bestanden op een gedeelde map, per soort geteld",
    "auth": "aanmeldingen bij een dienst, geteld: gelukt of niet, zonder namen",
    "talks": "hoe de twee kanten van een verbinding elkaar afwisselen: hoe vaak, hoe groot, hoe snel",
    "ndp": "apparaten die elkaar en hun router op het netwerk zoeken (IPv6)",
    "floods": "heel veel verbindingen zonder antwoord, bij elkaar geteld",
}
"""What each table is, for owners; the English stands in the contract."""


def show(parcels: Iterable[Parcel], language: str = "en") -> Iterator[str]:
    """Lines for people: a line a batch, a line a row, grouped by table, and the sum."""
    texts = SENTENCES[language]
    batches = size = rows = 0
    for parcel in parcels:
        batch = decode(parcel.wire)
        batches, size, rows = batches + 1, size + len(parcel.wire), rows + batch.rows
        yield texts["batch"].format(**_head(batch, parcel))
        for number, table in enumerate(TABLES):
            found = [row for which, row in unpack_rows(batch) if which == number]
            if found:
                meaning = DUTCH[table.name] if language == "nl" else table.meaning
                yield f"  {table.name}: {meaning}"
                yield from (f"    {_line(number, row)}" for row in found)
    if batches:
        yield texts["rest"]
        yield texts["sum"].format(batches=batches, size=size, rows=rows, each=size / max(1, rows))
    else:
        yield texts["none"]


def show_json(parcels: Iterable[Parcel]) -> Iterator[str]:
    """JSON lines for programs: a batch's head, then its rows with every field, in their order."""
    for parcel in parcels:
        batch = decode(parcel.wire)
        yield _json({"batch": _head(batch, parcel)})
        for number, row in unpack_rows(batch):
            columns = TABLES[number].columns
            fields = {c.name: _plain(c, v) for c, v in zip(columns, row, strict=True)}
            yield _json({"table": TABLES[number].name, **fields})


def _head(batch: Batch, parcel: Parcel) -> dict[str, Any]:
    return {
        "site": batch.site,
        "agent": batch.agent,
        "boot": batch.boot.hex(),
        "seq": batch.seq,
        "sent": batch.sent,
        "size": len(parcel.wire),
        "rows": batch.rows,
    }


def _line(number: int, row: Row) -> str:
    columns = TABLES[number].columns
    fields = [
        f"{column.name}={_word(column, value)}"
        for column, value in zip(columns[1:], row[1:], strict=True)
        if value not in {0, "", bytes(16)}
    ]
    return " ".join([_moment(int(row[0])), *fields])


def _moment(micros: int) -> str:
    time = datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="milliseconds")
    return time.replace("+00:00", "Z")


def _word(column: Column, value: Value) -> str:
    if is_named(column.unit):
        return name(column.unit, int(value))
    if column.unit == "µs UTC":
        return _moment(int(value))
    text = str(_plain(column, value))
    if isinstance(value, bytes | str) or column.name in HARDWARE_ADDRESSES:
        text = marked(text)
    # Names come from the network: they must not steer the terminal.
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _plain(column: Column, value: Value) -> Value:
    if isinstance(value, bytes):
        return format_address(value)
    return format_mac(int(value)) if column.name in HARDWARE_ADDRESSES else value


def _json(found: dict[str, Any]) -> str:
    return msgspec.json.encode(found).decode()
