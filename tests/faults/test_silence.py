"""Each tells when the other is killed, and when it is back: real processes, mail and webhook, only clocks are ours."""

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
import threading

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_agent.dead_man import DeadMan, source_of
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import read_settings
from dijkwacht_collector.app import build_app, wall_clock
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.notices import Outboxes

SECOND = 1_000_000


@pytest.fixture
def token(tmp_path):
    """Of the agent ``desk`` of ``bakery``, in a collector's state folder ``lab``."""
    (tmp_path / "lab").mkdir()
    sites = Sites(tmp_path / "lab" / "sites.db")
    sites.open()
    sites.add("bakery", 1)
    token = sites.make_token("bakery", "desk", 1)
    sites.close()
    return token


@pytest.fixture
def recording(tmp_path):
    """A ping a second, for half an hour."""
    ip = bytes.fromhex("4500001c000000004001000a") + bytes([192, 168, 1, 5, 192, 168, 1, 1])
    data = bytes.fromhex("020000000001001b21aabbcc0800") + ip + bytes.fromhex("0800f7ff00000000")
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    frames = (
        struct.pack("<4I", 1_700_000_000 + n, 0, len(data), len(data)) + data for n in range(1800)
    )
    path = tmp_path / "pings.pcap"
    path.write_bytes(head + b"".join(frames))
    return path


def agent_state(tmp_path, url, token, **more):
    state = tmp_path / "desk"
    state.mkdir()
    (state / "token").write_text(token)
    settings = {"site": "bakery", "agent": "desk", "url": url, "heartbeat_s": 1} | more
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (state / "agent.toml").write_text("".join(lines))
    return state


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def collect(state, port):
    words = ["collect", "--state", str(state), "--listen", f"127.0.0.1:{port}", "--no-training"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dijkwacht.cli", *words], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if re.search("listening on", line):
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process


def end(process):
    process.kill()
    process.wait(30)
    process.stderr.close()


def test_a_collector_that_is_killed_is_told_by_its_agents_mail(
    tmp_path, token, recording, mail_server, wait_for
):
    port = free_port()
    more = {"notify_mail": "baker@example.nl", "notify_mail_server": mail_server.address}
    state = agent_state(tmp_path, f"http://127.0.0.1:{port}", token, **more)
    settings = read_settings(state, {})
    ahead = [0.0]

    def clock():
        ahead[0] += 1.0
        return ahead[0]

    outboxes = Outboxes(settings, source_of(settings), state, 0.0)
    dead_man = DeadMan(settings, state, clock, outboxes)
    process = collect(tmp_path / "lab", port)
    stop = threading.Event()
    agent = Agent(settings, state, [recording], 5.0)
    dead_man.watch(agent)
    agent.uplink._jitter = lambda: -0.49
    thread = threading.Thread(target=agent.run, args=(stop,))
    try:
        with dead_man:
            thread.start()
            wait_for(lambda: agent.uplink.last_reply)
            end(process)
            wait_for(lambda: agent.uplink.trouble)
            ahead[0] += settings.silent_after_s
            wait_for(lambda: len(mail_server.mails) == 1)
            process = collect(tmp_path / "lab", port)
            wait_for(lambda: len(mail_server.mails) == 2)
            stop.set()
            thread.join(30)
    finally:
        stop.set()
        end(process)
    assert not thread.is_alive()
    assert "has reached the collector" in mail_server.texts()[0]
    assert "Over: the collector answers desk of bakery again" in mail_server.texts()[1]


async def test_an_agent_that_is_killed_is_told_by_its_collectors_webhook(
    tmp_path, token, recording, webhook, wait_for, monkeypatch
):
    monkeypatch.setattr("dijkwacht_collector.notices.watch.LOOK_S", 0.01)
    monkeypatch.setattr("dijkwacht_collector.notices.watch.GATHER_S", 0.0)
    settings = CollectorSettings(
        state=tmp_path / "lab", training=False, notify_url=webhook.url, notify_language="nl"
    )
    ahead = [0]
    app = await asyncio.to_thread(
        build_app, settings, clock=lambda: wall_clock() + ahead[0] * SECOND
    )
    async with TestClient(TestServer(app)) as client:
        state = agent_state(tmp_path, str(client.make_url("")).rstrip("/"), token)
        words = ["--state", str(state), "run", "--recording", str(recording), "--speed", "5"]
        command = [sys.executable, "-m", "dijkwacht_agent", *words]

        async def heard():
            text = await (await client.get("/metrics")).text()
            found = re.search(
                r"^dijkwacht_agent_last_seen_timestamp_seconds\{.*\} (\S+)", text, re.MULTILINE
            )
            return float(found[1]) if found else 0.0

        async def run_until_heard(after):
            process = await asyncio.create_subprocess_exec(*command)
            async with asyncio.timeout(60):
                while await heard() <= after:  # noqa: ASYNC110  # asked over HTTP
                    await asyncio.sleep(0.02)
            process.kill()
            await process.wait()

        await run_until_heard(0.0)
        ahead[0] += 302
        await asyncio.to_thread(wait_for, lambda: len(webhook.letters) == 1)
        await run_until_heard(await heard())
        await asyncio.to_thread(wait_for, lambda: len(webhook.letters) == 2)
    assert "desk van bakery is al 5 minuten stil" in webhook.letters[0]["text"]
    assert webhook.letters[1]["text"].startswith(
        "Voorbij: desk van bakery laat weer van zich horen"
    )
