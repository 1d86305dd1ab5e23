"""``check --selftest``: a harmless crafted capture through everything that real traffic goes through.

It is read from a file of the package, never put on the network: meter, privacy under the site's own key,
batch, bytes on the wire; and, once the agent has joined, the collector, which says what it saw and
keeps nothing of it.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.collector_line import CollectorLine
from dijkwacht_agent.contracts import CONTRACTS_FILE, read_contracts
from dijkwacht_agent.error_words import worded
from dijkwacht_agent.join import KEY_FILE, read_who
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.privacy import KEY_BYTES, Pseudonyms, read_or_make_key
from dijkwacht_agent.settings import Settings
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_records.contracts import LATEST, choose
from dijkwacht_records.errors import DijkwachtError, Message, TransferError
from dijkwacht_records.replies import decode_json
from dijkwacht_records.selftest import ALL, SelfTestReply, things_in
from dijkwacht_records.wire import decode, unpack_rows

CAPTURE: Final = Path(__file__).with_name("selftest.pcap")
PATH: Final = "/v1/selftest"
Told = tuple[str, bool, dict[str, Any]]
"""A finding of `check`: key, whether it is well, what fills the sentence."""


def selftest(settings: Settings, state: Path) -> Iterator[Told]:
    """What of the capture this agent sees, and what its collector sees of that."""
    joined = bool(settings.site and settings.agent and settings.url)
    wires = _made(settings, state, joined=joined)
    own = things_in(row for wire in wires for row in unpack_rows(decode(wire)))
    yield from _compared("selftest_agent", own.seen)
    if not joined:
        yield "selftest_alone", True, {}
        return
    try:
        seen = _asked(settings, state, wires)
    except (DijkwachtError, OSError, http.client.HTTPException) as error:
        yield "selftest_unanswered", False, {"why": error}
        return
    yield from _compared("selftest_collector", seen)


def _made(settings: Settings, state: Path, *, joined: bool) -> list[bytes]:
    """The capture as it would leave, in one batch or more."""
    path, inside = state / KEY_FILE, LocalNetworks(settings.local)
    key = read_or_make_key(path) if path.exists() else bytes(KEY_BYTES)
    names = settings.site or "site", settings.agent or "agent"
    batcher = Batcher(*names, Pseudonyms(key, inside), wall_clock)
    batcher.contract = choose(read_contracts(state / CONTRACTS_FILE)) if joined else LATEST
    meter, source = Meter(inside), Recording([CAPTURE])
    for block in source.blocks():
        meter.feed(block)
    source.close()
    meter.finish()
    batcher.add(meter.take())
    return [parcel.wire for parcel in batcher.take(everything=True)]


def _asked(settings: Settings, state: Path, wires: list[bytes]) -> list[str]:
    line = CollectorLine(settings.url or "", read_who(state), settings.ca_file)
    seen = set[str]()
    for wire in wires:
        answer = line.ask("POST", PATH, wire, "application/octet-stream")
        try:
            seen |= {*decode_json(answer, SelfTestReply).seen}
        except ValueError:
            raise worded(TransferError, "no_collector", url=settings.url or "") from None
    return [name for name in ALL if name in seen]


def _compared(key: str, seen: list[str]) -> Iterator[Told]:
    lost = [name for name in ALL if name not in seen]
    sums = {"seen": len(seen), "all": len(ALL)}
    yield key, not lost, sums | {"what": _listed(seen)}
    if lost:
        yield "selftest_lost", False, {"what": _listed(lost)}


def _listed(names: list[str]) -> Message:
    """The things, in words, one within another."""
    if not names:
        return Message("thing_none")
    told = Message(f"thing_{names[0]}")
    for name in names[1:]:
        told = Message("thing_and", {"first": told, "then": Message(f"thing_{name}")})
    return told
