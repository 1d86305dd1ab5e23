"""A whole lab on this machine: collector, console and one agent on a recording of an attacked office.

Everything is real but the time: the recording is played faster than it happened, and its own times are
kept. Nothing leaves this machine, and nothing stays on it.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from dijkwacht.in_process import InProcessAgent, InProcessCollector, free_port
from dijkwacht.kernels import compile_kernels
from dijkwacht.progress import clock_text
from dijkwacht.shadow import report_shadow
from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.office.truth import Attacked, Truth
from dijkwacht_lab.recordings import recording
from dijkwacht_lab.recordings import truth as read_truth
from dijkwacht_records.addresses import format_address, format_mac, pack_address, pack_mac
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.pseudonyms import marked

PLAY_S: Final = 20.0
"""How long the recording is stretched or pressed to, in seconds of ours."""
SITE: Final = "bakery"
_MEDIUM: Final = 3
_SETTLE_S: Final = 60.0
_LOOK_S: Final = 0.25
_LONG: Final = re.compile(r"\S{60,}")
"""A name that a tunnel made; its beginning and its end are enough."""
_ADDRESS: Final = re.compile(r"[0-9a-fA-F.:]*[0-9a-fA-F]")

Finding = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "--once", action="store_true", help="end with a summary when the recording ends"
    )
    parser.add_argument(
        "--port", type=int, default=8470, metavar="N", help="of the console (default: 8470)"
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if every attack of the recording was found (or somebody pressed Ctrl-C)."""
    return perform(recording("demo"), once=args.once, port=args.port)


def perform(folder: Path, *, once: bool, port: int = 0) -> int:
    """Play the recording in ``folder`` (``traffic.pcap`` and ``truth.json``); the exit code."""
    truth = _truth(folder)
    traffic = folder / "traffic.pcap"
    print_line("Dijkwacht: one collector and one agent, on this machine only (127.0.0.1).")
    print_line(
        f"The recording: {truth.story} {truth.frames:,} packets, {len(truth.attacks)} attacks."
    )
    print_line(
        "Addresses with ~ are the pseudonyms that leave the site; only this screen adds whose they are."
    )
    report_shadow(report=print_line)
    compile_kernels(print_line)
    with tempfile.TemporaryDirectory(prefix="dijkwacht-demo-") as state:
        collector = InProcessCollector(Path(state) / "collector", free_port(port))
        agent: InProcessAgent | None = None
        try:
            collector.start()
            print_line(f"Collector runs. Console: {collector.url}/")
            speed = max(1.0, (truth.stop - truth.start) / 1e6 / PLAY_S)
            code = collector.join_code(SITE)
            agent = InProcessAgent(Path(state) / "agent", code, "till", traffic, speed)
            print_line(f"Site {SITE!r} added; its agent has joined with a one-time code.")
            print_line(
                f"The recording plays {speed:.0f} times as fast as it happened, with its own times."
            )
            show = Show(truth, agent.disguise, agent.disguise_mac)
            agent.start()
            while agent.playing:
                show.news(collector.get("/v1/incidents"))
                time.sleep(_LOOK_S)
            collector.settle(_SETTLE_S)
            show.news(collector.get("/v1/incidents"))
            all_found = show.summary(agent.packets)
            if once:
                return 0 if all_found else 1
            print_line(
                f"The recording is over; the console stays at {collector.url}/ until Ctrl-C."
            )
            threading.Event().wait()
        except KeyboardInterrupt:
            # A second Ctrl-C within the second that this takes would leave files behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print_line("Stopping.")
        finally:
            if agent is not None:
                agent.stop()
            collector.stop()
            if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.default_int_handler)
    return 0


def print_line(sentence: str) -> None:
    """One line to whoever watches."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


class Show:
    """Prints incidents as they are found and holds them against the truth at the end.

    The collector knows inside addresses by pseudonyms only; ``disguise`` is the site's own knowledge
    of who is who (of hardware addresses, ``disguise_mac``), and never leaves this process.
    """

    def __init__(
        self, truth: Truth, disguise: Callable[[bytes], bytes], disguise_mac: Callable[[int], int]
    ) -> None:
        self.truth = truth
        self._disguise, self._disguise_mac = disguise, disguise_mac
        self._who = {self._called(address): name for name, address in truth.hosts.items()}
        self._shown: set[str] = set()
        self._findings: Sequence[Finding] = ()

    def news(self, findings: Sequence[Finding]) -> None:
        """Print what has become an incident since the last call."""
        self._findings = findings
        for finding in sorted(_loud(findings), key=lambda f: f["start_time"]):
            uid = finding["finding_info"]["uid"]
            if uid not in self._shown:
                self._shown.add(uid)
                print_line(self._line(finding))

    def summary(self, packets: int) -> bool:
        """Print the table; whether every attack was found."""
        loud = list(_loud(self._findings))
        print_line("")
        print_line(
            f"{packets:,} packets, {len(loud)} incidents, {len(self._findings) - len(loud)} for context;"
            f" {len(_stories(self._findings))} stories, {len(_stories(loud))} of which call somebody."
        )
        print_line(f"{'attack':<12}{'with':<10}{'by':<34}{'found as':<14}technique")
        found_all = True
        for attack in self.truth.attacks:
            fitting = [f for f in loud if self._is(f, attack)]
            by = min(fitting, key=lambda f: _kind(f) != attack.kind, default=None)
            found_all &= by is not None
            who = marked(self._name(self._called(attack.attacker)))
            found = _kind(by) if by else "not found"
            print_line(
                f"{attack.kind:<12}{attack.tool:<10}{who:<34}{found:<14}{_technique(by) if by else ''}"
            )
        attacks = len(self.truth.attacks)
        others = sum(not any(self._is(f, a) for a in self.truth.attacks) for f in loud)
        print_line(
            f"{'All' if found_all else 'Not all'} of {attacks} attacks found; {others} incidents besides."
        )
        return found_all

    def _is(self, finding: Finding, attack: Attacked) -> bool:
        accepted = ACCEPTED.get(attack.kind, frozenset({attack.kind}))
        if _kind(finding) not in accepted:
            return False
        octets = bytes.fromhex(attack.attacker_mac.replace(":", ""))
        names = {self._called(attack.attacker), format_mac(self._disguise_mac(pack_mac(octets)))}
        sources = [e.get("src_endpoint", {}) for e in finding["evidences"]]
        # A hashed hardware address is no MAC address to OCSF: it stands in ``uid``.
        return any(names & {s.get("ip"), s.get("mac"), s.get("uid")} for s in sources)

    def _line(self, finding: Finding) -> str:
        info = finding["finding_info"]
        sentence = _ADDRESS.sub(lambda m: self._name(m[0]), info["title"])
        sentence = _LONG.sub(lambda m: f"{m[0][:16]}…{m[0][-24:]}", sentence)
        when = clock_text(finding["start_time"] * 1000)
        severity = finding["severity"].lower()
        return f"  {when}  {severity:<7} {_kind(finding):<11} {_technique(finding):<44} {sentence}"

    def _name(self, address: str) -> str:
        return f"{address} ({self._who[address]})" if address in self._who else address

    def _called(self, address: str) -> str:
        return format_address(self._disguise(pack_address(address)))


def _loud(findings: Iterable[Finding]) -> Iterable[Finding]:
    return (f for f in findings if f["severity_id"] >= _MEDIUM)


def _kind(finding: Finding) -> str:
    kind: str = finding["finding_info"]["types"][0]
    return kind


def _stories(findings: Iterable[Finding]) -> set[str]:
    """Those that the findings are part of."""
    return {f.get("unmapped", {}).get("story_uid", "") for f in findings} - {""}


def _technique(finding: Finding) -> str:
    for attack in finding["finding_info"]["attacks"]:
        technique = attack.get("sub_technique", attack["technique"])
        return f"{technique['uid']} {technique['name']}"
    return ""


def _truth(folder: Path) -> Truth:
    try:
        return read_truth(folder)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnreadableInput(str(folder), "truth.json", f"a recording's truth ({error})") from None
