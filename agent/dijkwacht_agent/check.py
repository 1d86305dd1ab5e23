"""What is wrong, in plain words: each probe looks at one thing and gives findings."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import shutil
import struct
import time
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import psutil

from dijkwacht_agent.check_export import export_findings, listen_for_export
from dijkwacht_agent.clock import CLOCK_LIMIT_S, off
from dijkwacht_agent.contracts import compared, listed
from dijkwacht_agent.error_words import words
from dijkwacht_agent.frames import Block, Frame, block_of
from dijkwacht_agent.health import Status
from dijkwacht_agent.identity import Identity
from dijkwacht_agent.interfaces import default_interface
from dijkwacht_agent.join import KEY_FILE, SPOOL_FOLDER, read_who
from dijkwacht_agent.ledger import LEDGER_FILE, Ledger
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.messages import message_text
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.owner.key_copy import has_copy
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.secure_line import connection_path
from dijkwacht_agent.settings import Settings, write_private
from dijkwacht_agent.sources.capture import LiveCapture
from dijkwacht_agent.spool_segments import versions_in
from dijkwacht_agent.uplink import Post, Who, connect
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.errors import (
    CaptureError,
    ForeignCollector,
    Message,
    NotAuthorised,
    RejectedBatch,
    SettingsError,
    TransferError,
    UnknownContract,
    WrongClock,
)
from dijkwacht_records.wire import encode

LOSS_LIMIT: Final = 1e-3
_QUIET_FACTOR: Final = 4
"""Where nothing passes at once it is listened so many times as long: at night a shop is quiet."""
_STALE_S: Final = 60.0
_PROBE_BYTES: Final = 64 * 1024
_ETHERNET: Final = 1
_STATUS_FILE: Final = "status.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``ok``, or else it needs a person."""

    key: str
    ok: bool
    values: dict[str, Any] = field(default_factory=dict)

    def sentence(self, language: str) -> str:
        """The finding in ``en`` or ``nl``."""
        values = {k: words(v, language) if k == "why" else v for k, v in self.values.items()}
        return message_text(Message(self.key, values), language)


def check(settings: Settings, state: Path, seconds: float = 3.0) -> Iterator[Finding]:
    """Look at everything, one finding after another; listens for ``seconds``."""
    if settings.flow_export is None:
        yield from check_interface(settings, seconds)
    else:
        yield from check_flow_export(settings, state, seconds)
    yield from check_collector(settings, state)
    yield from check_key(state)
    yield from check_running(state)
    yield from check_rows(state)
    yield from check_writing(state)
    yield from check_disk(settings, state)
    yield from check_meter()


def check_beside(settings: Settings, state: Path) -> Iterator[Finding]:
    """What can be looked at while the agent runs: it has the interface, and needs the processor."""
    if settings.flow_export is None:
        yield from check_card(settings)
    else:
        yield from check_flow_export(settings, state)
    yield from check_collector(settings, state)
    yield from check_key(state)
    yield from check_running(state)
    yield from check_disk(settings, state)


def check_selftest(settings: Settings, state: Path) -> Iterator[Finding]:
    """Play the crafted recording through agent and collector: N of N seen."""
    from dijkwacht_agent.selftest import selftest  # noqa: PLC0415  not in the memory of `run`

    for key, ok, values in selftest(settings, state):
        yield Finding(key, ok, values)


def check_flow_export(settings: Settings, state: Path, seconds: float = 0.0) -> Iterator[Finding]:
    """Does the router tell of its connections? Asked of the agent that runs; else it is listened to."""
    status = _fresh_status(state)
    if status is not None and status.exports:
        found = export_findings(settings, status.exports)
    elif seconds:
        found = listen_for_export(settings, seconds)
    else:
        return
    for key, ok, values in found:
        yield Finding(key, ok, values)


def check_card(settings: Settings) -> Iterator[Finding]:
    """Is there an interface, and is it up? The finding's value ``name`` is it."""
    try:
        name = settings.interface or default_interface()
    except CaptureError as error:
        yield Finding("interface_none", False, {"why": error})
        return
    card = psutil.net_if_stats().get(name)
    if card is None:
        there = ", ".join(sorted(psutil.net_if_stats()))
        yield Finding(
            "interface_none",
            False,
            {"why": Message("interface_missing", {"name": name, "there": there})},
        )
        return
    yield Finding("interface_up" if card.isup else "interface_down", card.isup, {"name": name})


def check_interface(settings: Settings, seconds: float) -> Iterator[Finding]:
    """The same, and may we capture, and what does it show us?"""
    (card,) = check_card(settings)
    yield card
    if card.key == "interface_none":
        return
    name = card.values["name"]
    try:
        capture = LiveCapture(name, ring_bytes=1 << 20, snap_bytes=64)
    except CaptureError as error:
        yield Finding("capture_fails", False, {"why": error})
        return
    yield Finding("capture_works", True, {"name": name})
    own = {
        bytes.fromhex(address.address.replace(":", ""))
        for address in psutil.net_if_addrs().get(name, [])
        if address.family == psutil.AF_LINK
    }
    begun = time.monotonic()
    with contextlib.closing(capture):
        try:
            frames = _listen(capture, seconds, _QUIET_FACTOR * seconds)
        except CaptureError as error:  # it is down: the other probes go on
            yield Finding("capture_fails", False, {"why": error})
            return
    yield check_share(frames, own, max(seconds, round(time.monotonic() - begun)))


def check_share(frames: list[Frame], own: set[bytes], seconds: float) -> Finding:
    """Do the frames show other machines talking to each other, or only ourselves?"""
    others: set[bytes] = set()
    for _, link_type, data, _, _ in frames:
        if link_type == _ETHERNET and len(data) >= 12:
            ends = {bytes(data[:6]), bytes(data[6:12])}
            if not data[0] & 1 and not ends & own:
                others |= ends
    if not frames:
        return Finding("share_none", False, {"seconds": seconds})
    key = "share_many" if others else "share_own"
    return Finding(key, True, {"seconds": seconds, "others": len(others)})


def check_collector(settings: Settings, state: Path) -> Iterator[Finding]:
    """Is the agent joined, does the collector answer and know it, do the clocks agree?"""
    who: Who = ""
    with contextlib.suppress(SettingsError):
        who = read_who(state)
    if not (who and settings.url and settings.site and settings.agent):
        yield Finding("not_joined", False)
        return
    yield Finding("joined", True, {"agent": settings.agent, "site": settings.site})
    url, ca_file = settings.url, Path(settings.ca_file) if settings.ca_file else None
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        yield Finding("plain_http", False, {"url": url})
    try:
        connection = connect(url, ca_file, 10.0, who)
        with contextlib.closing(connection):
            connection.request("GET", connection_path(url) + "/healthz")
            connection.getresponse().read()
    except WrongClock as error:
        yield Finding("clock_wrong", False, {"offset": abs(error.ahead_s), **off(error.ahead_s)})
        return
    except (OSError, http.client.HTTPException, TransferError) as error:
        key = "collector_foreign" if isinstance(error, ForeignCollector) else "collector_silent"
        yield Finding(key, False, {"url": url, "why": error})
        return
    yield Finding("collector_answers", True, {"url": url})
    reads = yield from _check_known(settings.site, settings.agent, Post(url, who, ca_file))
    if isinstance(who, Identity):  # now that it was heard what time it is
        late, days = who.late(who.now()), max(0.0, (who.expires - who.now()) / 86_400e6)
        yield Finding("certificate_late" if late else "certificate_good", not late, {"days": days})
    if reads is not None:
        yield from check_contracts(reads, state)


def check_contracts(reads: Collection[int], state: Path) -> Iterator[Finding]:
    """Does a collector that ``reads`` these versions of the contract read what is written, and what waits?"""
    said = compared(reads)
    yield Finding(said.key, said.key == "contracts_shared", said.values)
    if unread := versions_in(state / SPOOL_FOLDER).difference(reads):
        values = {"unread": listed(unread), "reads": listed(reads)}
        yield Finding("spool_unread", False, values)


def check_key(state: Path) -> Iterator[Finding]:
    """Can the key that makes pseudonyms be used, and is there a copy of it? No finding where all that is well."""
    path = state / KEY_FILE
    try:
        if path.exists():
            read_or_make_key(path)
    except (SettingsError, OSError) as error:
        yield Finding("key_wrong", False, {"why": error})
        return
    if not has_copy(state):  # said, and no trouble: everything works without one until it is needed
        yield Finding("key_without_copy", True)


def check_running(state: Path) -> Iterator[Finding]:
    """Does the agent run, does it lose packets, is its uplink in trouble?"""
    status = _fresh_status(state)
    if status is None:
        # On a full disk the status is old, or not there; the ledger can be written all the same.
        unseen = _keeps_its_ledger(state / SPOOL_FOLDER / LEDGER_FILE)
        ran = (state / SPOOL_FOLDER / LEDGER_FILE).exists() or (state / _STATUS_FILE).exists()
        # Before its first start nothing is wrong: one joins, checks, and starts.
        yield Finding("running_unseen" if unseen else "not_running", not (unseen or ran))
        return
    packets, lost = status.counters["packets_seen"], status.counters["dropped_ring"]
    losing = lost > LOSS_LIMIT * packets
    yield Finding("losing" if losing else "running", not losing, {"packets": packets, "lost": lost})
    if status.trouble:
        yield Finding("in_trouble", False, {"why": status.trouble})


def check_rows(state: Path) -> Iterator[Finding]:
    """What became of the rows so far? No finding for an agent that never ran."""
    ledger = Ledger(state / SPOOL_FOLDER / LEDGER_FILE)
    if ledger.found:
        rows = ledger.accounts()
        rejected, shed = sum(rows.rejected.values()), sum(rows.shed.values())
        sums = {"made": rows.made, "arrived": rows.journalled, "waiting": rows.waiting}
        yield Finding("rows_so_far", True, sums | {"rejected": rejected, "shed": shed})


def check_writing(state: Path) -> Iterator[Finding]:
    """Does the disk take anything? Found out by writing: no finding if it does."""
    folder = next((each for each in (state / SPOOL_FOLDER, state) if each.exists()), None)
    if folder is None:
        return
    try:
        write_private(folder / "check.probe", bytes(_PROBE_BYTES))
    except PermissionError:
        return  # this user's, not the disk's
    except OSError as error:
        error.filename = str(folder)
        yield Finding("disk_takes_nothing", False, {"why": error})
    with contextlib.suppress(OSError):
        (folder / "check.probe").unlink(missing_ok=True)


def check_disk(settings: Settings, state: Path) -> Iterator[Finding]:
    """How much waits to be sent, and is there room for what may have to wait?"""
    folder = next(path for path in (state, *state.absolute().parents) if path.exists())
    waiting = sum(path.stat().st_size for path in (state / SPOOL_FOLDER).glob("*.spool"))
    limit, free = settings.spool_max_bytes, shutil.disk_usage(folder).free
    fine = waiting < limit // 2
    sizes = {"waiting": _size(waiting), "limit": _size(limit)}
    yield Finding("spool_fine" if fine else "spool_filling", fine, sizes)
    room = free > limit - waiting
    values = {"free": _size(free), "limit": _size(limit)}
    yield Finding("disk_fine" if room else "disk_full", room, values)


def check_meter(packets: int = 20_000) -> Iterator[Finding]:
    """Which meter is in use, and how fast is it here? Measured on ``packets`` made-up packets."""
    block = _synthetic(packets)
    meter = Meter(LocalNetworks())
    begun = time.process_time()
    meter.feed(block)
    rate = packets / max(time.process_time() - begun, 1e-6)
    rounded = int(rate // 1000 * 1000)
    # 600 bytes a packet is what lines carry on average. The whole agent, live, keeps up with about a
    # tenth of what this metering alone does (docs/performance.md).
    megabits = int(rate * 600 * 8 / 1e6 / 10) // 10 * 10
    yield Finding("meter_reference", True, {"rate": rounded, "megabits": megabits})


def _check_known(
    site: str, agent: str, post: Post
) -> Generator[Finding, None, Collection[int] | None]:
    """Send a batch without rows, which shows only whether the collector knows this agent.

    Returns the versions of the contract that the collector reads, or ``None`` where it did not say.
    """
    asked = wall_clock()
    try:
        # In the version that most collectors read.
        asked_with = encode(site, agent, secrets.token_bytes(16), 0, asked, [], min(WRITES))
        reply = post(asked_with)
    except NotAuthorised as error:
        yield Finding("token_bad", False, {"why": error})
        return None
    except RejectedBatch:
        yield Finding("token_good", True)
        return None
    except UnknownContract as error:
        yield Finding("token_good", True)
        return error.reads
    except (OSError, http.client.HTTPException, TransferError) as error:
        yield Finding("token_unsure", False, {"why": error})
        return None
    finally:
        post.close()
    yield Finding("token_good", True)
    ahead_s = ((asked + wall_clock()) / 2 - reply.clock) / 1e6
    right, values = abs(ahead_s) < CLOCK_LIMIT_S, {"offset": abs(ahead_s), **off(ahead_s)}
    yield Finding("clock_right" if right else "clock_wrong", right, values)
    return reply.contracts


def _fresh_status(state: Path) -> Status | None:
    """What an agent that runs wrote lately of itself."""
    try:
        status = msgspec.json.decode((state / _STATUS_FILE).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None
    return status if abs(wall_clock() - status.time) <= _STALE_S * 1e6 else None


def _keeps_its_ledger(path: Path) -> bool:
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return Ledger(path).open and abs(age_s) < _STALE_S


def _listen(capture: LiveCapture, seconds: float, at_most: float) -> list[Frame]:
    """The frames of ``seconds``; where there is none, up to the first one."""
    begun = time.monotonic()
    frames: list[Frame] = []
    for block in capture.blocks():
        frames += block.frames()
        if time.monotonic() - begun > (seconds if frames else at_most) or len(frames) > 100_000:
            break
    return frames


def _synthetic(packets: int) -> Block:
    """TCP packets of 200 flows, as a busy office line carries them."""
    frames: list[Frame] = []
    for n in range(packets):
        flow = n % 200
        ip = struct.pack(
            ">BBHHHBBH4sI", 0x45, 0, 600, n & 0xFFFF, 0, 64, 6, 0, b"\xc0\xa8\x01\x05", flow
        )
        tcp = struct.pack(">HHIIBBHHH", 40_000 + flow, 443, n, n, 0x50, 0x10, 1024, 0, 0)
        frames.append((1_000_000 + 10 * n, _ETHERNET, bytes(12) + b"\x08\x00" + ip + tcp, 614, 0))
    return block_of(frames)


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.0f} GB"
