"""Drive a plan from beginning to end: build, let people work, attack, record, write down the truth."""

from __future__ import annotations

import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from dijkwacht_lab.office.attacks import ToolRun, role_words, tool_run, tunnel_far_end, victims
from dijkwacht_lab.office.building import BRIDGE, SWITCH, build
from dijkwacht_lab.office.certificate import write_certificate
from dijkwacht_lab.office.namespaces import CommandFailed, Namespaces
from dijkwacht_lab.office.plans import Attack, Plan
from dijkwacht_lab.office.truncate import truncate
from dijkwacht_lab.office.truth import Attacked, Truth

TOOLS: Final = {
    "ip": "iproute2",
    "tcpdump": "tcpdump",
    "nmap": "nmap",
    "hydra": "hydra",
    "iodine": "iodine",
    "iodined": "iodine",
    "hping3": "hping3",
    "arpspoof": "dsniff",
}
"""Program → Debian package."""
_ROLES: Final = ("internet", "gateway", "server", "printer")
_READY_SECONDS = 15.0
_SNAP_BYTES = 1600


def record(plan: Plan, folder: Path) -> Truth:
    """Record ``plan`` into ``folder``: ``traffic.pcap`` and ``truth.json``; takes ``plan.seconds``.

    Raises `OutsideOffice` before anything is built if an attack aims outside the plan's networks,
    and `CommandFailed` if the office cannot be built. Progress goes to stderr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="office-") as made, Namespaces() as spaces:
        scratch = Path(made)
        tool_runs = [(attack, tool_run(plan, attack, scratch)) for attack in plan.attacks]
        write_certificate(scratch, list(plan.sites))
        build(spaces, plan)
        for role in _ROLES:
            _await(_play(spaces, plan, scratch, role, role), "ready", role)
        start = _now()
        dump = _listen(spaces, scratch / "whole.pcap")
        for host in plan.hosts:
            _play(spaces, plan, scratch, host.name, host.name)
        attacked = _attack(spaces, plan, tool_runs, scratch)
        spaces.end(dump, signal.SIGINT)
        stop = _now()
        for role in (*_ROLES, *(host.name for host in plan.hosts)):
            if said := (scratch / f"{role}.txt").read_text(errors="replace"):
                _say(f"         {role}: {said.strip()[-500:]}")
        frames = truncate(scratch / "whole.pcap", folder / "traffic.pcap")
    places = {"gateway": plan.gateway, "server": plan.server, "printer": plan.printer}
    hosts = places | {host.name: host.address for host in plan.hosts}
    truth = Truth(plan.name, plan.story, start, stop, plan.network, frames, hosts, attacked)
    truth.write(folder / "truth.json")
    return truth


def _play(
    spaces: Namespaces, plan: Plan, scratch: Path, place: str, role: str
) -> subprocess.Popen[bytes]:
    words = role_words(plan, scratch, plan.seconds + 30, role)
    with (scratch / f"{role}.txt").open("wb") as errors:
        return spaces.start(place, words, output=subprocess.PIPE, errors=errors)


def _listen(spaces: Namespaces, path: Path) -> subprocess.Popen[bytes]:
    words = ["tcpdump", "-i", BRIDGE, "-n", "-U", "-B", "8192", "-s", str(_SNAP_BYTES),
             "-Z", "root", "-w", str(path)]  # fmt: skip
    dump = spaces.start(SWITCH, words, errors=subprocess.PIPE)
    _await(dump, "listening on", "tcpdump", errors=True)
    return dump


def _await(process: subprocess.Popen[bytes], word: str, who: str, *, errors: bool = False) -> None:
    """Wait until ``process`` says ``word``. Raises `CommandFailed` at the deadline or its end."""
    stream = process.stderr if errors else process.stdout
    assert stream is not None
    said = b""
    deadline = time.monotonic() + _READY_SECONDS
    while word.encode() not in said:
        left = deadline - time.monotonic()
        readable, _, _ = select.select([stream], [], [], max(left, 0))
        more = stream.read1(4096) if readable else b""  # type: ignore[attr-defined]  # BufferedReader
        if not more:
            raise CommandFailed(f"{who}: no {word!r} ({said.decode(errors='replace').strip()})")
        said += more


def _attack(
    spaces: Namespaces, plan: Plan, tool_runs: list[tuple[Attack, ToolRun]], scratch: Path
) -> list[Attacked]:
    """Run every attack at its moment; the truth about each, by this process's clock."""
    begun = time.monotonic()
    ended = threading.Event()

    def one(attack: Attack, run: ToolRun) -> Attacked:
        ended.wait(max(begun + attack.begins - time.monotonic(), 0))
        _say(f"{time.monotonic() - begun:5.0f} s  {attack.tool} by {attack.by}")
        host = plan.host(attack.by)
        log = scratch / f"{attack.tool}-{int(attack.begins)}.txt"
        start, stop = _run(spaces, plan, attack, run, log)
        typed = shlex.join(run.words).replace(str(scratch), ".").replace(sys.executable, "python")
        return Attacked(start, stop, attack.tool, attack.technique, attack.kind, host.address,
                        plan.mac(host.name), victims(plan, attack), typed)  # fmt: skip

    with ThreadPoolExecutor(len(tool_runs) or 1) as pool:
        try:
            running: list[Future[Attacked]] = [pool.submit(one, *each) for each in tool_runs]
            attacked = [each.result() for each in running]
            ended.wait(max(begun + plan.seconds - time.monotonic(), 0))
        finally:
            ended.set()  # after a failure nobody waits for their moment
    return sorted(attacked, key=lambda each: each.start)


def _run(
    spaces: Namespaces, plan: Plan, attack: Attack, run: ToolRun, log: Path
) -> tuple[int, int]:
    """Run one attack; (start, stop) in µs UTC. What the tools say goes to ``log``."""
    with log.open("wb") as output:
        far = spaces.start("internet", run.beyond, output, output) if run.beyond else None
        start = _now()
        tool = spaces.start(attack.by, run.words, output, output)
        deadline = time.monotonic() + attack.lasts
        if run.carry:
            _carry(spaces, plan, attack, run, deadline)
        else:
            _wait(tool, deadline)
        if tool.poll() is None:
            spaces.end(tool, signal.SIGINT)
            if not run.endless:
                _say(f"         {attack.tool} was cut off after {attack.lasts:.0f} s")
        elif tool.returncode:
            _say(f"         {attack.tool}: {log.read_text(errors='replace').strip()[-300:]}")
        if far is not None:
            spaces.end(far)
        return start, _now()


def _carry(spaces: Namespaces, plan: Plan, attack: Attack, run: ToolRun, deadline: float) -> None:
    """Carry the load through the tunnel as soon as its far end answers."""
    probe = ["ping", "-c", "1", "-W", "1", tunnel_far_end(plan)]
    while time.monotonic() < deadline:
        if spaces.start(attack.by, probe).wait(5) == 0:
            carrier = spaces.start(attack.by, run.carry)
            _wait(carrier, deadline)
            spaces.end(carrier)
            return
    _say(f"         {attack.tool}: the tunnel never stood")


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return


def _now() -> int:
    return time.time_ns() // 1000


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
