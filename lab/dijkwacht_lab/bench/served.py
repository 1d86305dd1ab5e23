"""A real ``dijkwacht collect`` on one core, and agents on another that send what was made before."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from dijkwacht_collector.sites import Sites
from dijkwacht_records.enrolment import COLLECTOR_NAME

LIMIT_S: Final = 120.0
_LISTENING: Final = re.compile(r"listening on https?://127\.0\.0\.1:(\d+)")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


def make_sites(state: Path, names: Iterable[str]) -> dict[str, str]:
    """Add sites to a collector's state before it starts; name → token of its ``agent-1``."""
    sites = Sites(state / "sites.db")
    sites.open()
    tokens = {}
    for name in names:
        sites.add(name, 1)
        tokens[name] = sites.make_token(name, "agent-1", 1)
    sites.close()
    return tokens


@contextlib.contextmanager
def collector(
    state: Path, module: Sequence[str] = ("dijkwacht.cli", "collect"), arguments: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The collector's process and port; it has a core to itself where there are two.

    ``module``: what is run, with its own words; ``arguments``: more of the command's.
    """
    command = [sys.executable, "-m", *module, "--no-training", *arguments]
    with subprocess.Popen(  # noqa: S603  our own command
        [*command, "--state", str(state), "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        cores = sorted(os.sched_getaffinity(0))
        try:
            os.sched_setaffinity(process.pid, cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            said = ""
            while not (found := _LISTENING.search(said)):
                line = process.stderr.readline()
                if not line:
                    raise RuntimeError(f"the collector did not start: {said}")
                said += line
            yield process, int(found[1])
        finally:
            os.sched_setaffinity(0, cores)
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def request(wire: bytes, token: str = "") -> bytes:
    """The HTTP request that brings a batch; without a token where a certificate is shown."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"{shown}Content-Length: {len(wire)}\r\n\r\n"
    )
    return head.encode() + wire


class _Agent(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last has come."""

    def __init__(self, requests: list[bytes], latencies: list[float]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._requests = iter(requests)
        self._latencies = latencies
        self._answer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def begin(self) -> None:
        """Send the first."""
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        if not blank or found is None or len(body) < int(found[1]):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if not self._answer.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._answer.decode("latin-1")))
            return
        self._answer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the collector hung up"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)


async def send_all(
    port: int,
    queues: Sequence[list[bytes]],
    contexts: Sequence[ssl.SSLContext] = (),
    connected: Callable[[], None] = lambda: None,
) -> list[float]:
    """Send each queue over a connection of its own; seconds from request to acknowledgement.

    ``contexts``: what each shows who it is with, over TLS. ``connected`` is called when all are, and
    nothing was sent.
    """
    loop, latencies = asyncio.get_running_loop(), list[float]()
    made = [
        await loop.create_connection(
            partial(_Agent, queue, latencies),
            "127.0.0.1",
            port,
            ssl=context,
            server_hostname=COLLECTOR_NAME if context else None,
        )
        for queue, context in itertools.zip_longest(queues, contexts)
    ]
    connected()
    for _, agent in made:
        agent.begin()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(agent.done for _, agent in made))
    return latencies


def wait_scored(port: int, context: ssl.SSLContext | None = None) -> None:
    """Return once the engine has folded everything durable; ``context``: over TLS."""
    scheme = "https" if context else "http"
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        url = f"{scheme}://127.0.0.1:{port}/healthz"
        with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310  # our own
            state = msgspec.json.decode(answer.read(), type=dict[str, Any])
        if state["engine_position"] == state["journal_position"]:
            return
        time.sleep(0.005)
    raise RuntimeError("the engine did not catch up")


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
