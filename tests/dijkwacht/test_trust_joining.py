"""Joining over mutual TLS: what is lost on the way, who stands in between, and who only disturbs."""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from dijkwacht_agent import enrolling, identity
from dijkwacht_agent.identity import IDENTITY_FILE, Identity
from dijkwacht_agent.join import join
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_records.enrolment import PATH, Enrolment, stretch
from dijkwacht_records.errors import ForeignCollector, NotAuthorised
from dijkwacht_records.joincode import read_code
from dijkwacht_records.replies import Refusal, encode_reply

pytestmark = pytest.mark.timeout(240)


def test_whoever_stands_between_while_joining_spends_nothing_and_learns_nothing(
    secure, relay, tmp_path
):
    with relay(secure.port) as between:
        code = secure.code(between.url)
        with pytest.raises(ForeignCollector):
            join(code, tmp_path / "state", "between")
        _, secret = read_code(code)
        for learnt in (secret, secret.hex().encode(), code[:23].encode(), *stretch(secret)[1:]):
            assert learnt not in between.heard
    direct = code[:23] + "@" + secure.url.removeprefix("https://")
    assert join(direct, tmp_path / "state", "between").agent == "between"
    assert any("somebody stands in between" in line for line in secure.said)


@contextlib.contextmanager
def refusing(folder):
    """A stranger over TLS who says that a code is used; gives its port."""
    authority = Authority(folder, ["127.0.0.1"], lambda: time.time_ns() // 1000)
    authority.open()
    said = encode_reply(Refusal("not_authorised", "no"))

    def answer(server):
        line, _ = server.accept()
        with authority.context.wrap_socket(line, server_side=True) as near:
            near.recv(65536)
            head = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            near.sendall(head % len(said) + said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_an_answer_that_is_lost_does_not_burn_the_code(secure, tmp_path, monkeypatch):
    code, real = secure.code(), http.client.HTTPConnection.getresponse

    def lost(self):
        real(self).read()
        raise ConnectionResetError

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", lost)
    with pytest.raises(ConnectionResetError):
        join(code, tmp_path / "state")
    monkeypatch.undo()
    with pytest.raises(NotAuthorised):  # bound to the key of the first
        join(code, tmp_path / "another", "lost")
    first = json.loads((tmp_path / "state" / enrolling.JOINING_FILE).read_bytes())["agent"]
    port = code.rpartition(":")[2]
    # who stands in between cannot burn it either
    with refusing(tmp_path / "other") as elsewhere, pytest.raises(NotAuthorised):
        join(code.replace(port, str(elsewhere)), tmp_path / "state")
    assert join(code, tmp_path / "state").agent == first
    assert secure.send(tmp_path / "state", first).seq == 0
    rows = secure.execute("SELECT count(*) FROM certificates WHERE agent = ?", first)
    assert rows == [(1,)], "what was lost is kept no more"
    with pytest.raises(NotAuthorised):
        join(code, tmp_path / "another", "lost")


def test_strangers_block_nobody_who_joins(secure, tmp_path):
    code = secure.code()
    with contextlib.ExitStack() as stack:
        for number in range(200):  # half a handshake each, or what is none
            line = stack.enter_context(
                socket.create_connection(("127.0.0.1", secure.port), timeout=10)
            )
            with contextlib.suppress(OSError):
                line.sendall((b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n")[number % 2])
        statuses = [wrong_proof(secure, bytes(16)) for _ in range(6)]
        assert statuses[-1] == 503, "who guesses has to wait"
        known = stretch(read_code(code)[1]).id
        end = time.monotonic() + 20
        while wrong_proof(secure, known) != 401:  # until it has heard of the code
            assert time.monotonic() < end
        assert join(code, tmp_path, "guest").agent == "guest"


def wrong_proof(secure, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    line = http.client.HTTPSConnection("127.0.0.1", secure.port, context=context, timeout=10)
    with contextlib.closing(line):
        asked = Enrolment(name, "x", b"", bytes(32), b"", bytes(32))
        line.request("POST", PATH, msgspec.json.encode(asked))
        return line.getresponse().status


def test_no_secret_is_an_argument_of_a_process_or_in_what_is_said(secure, tmp_path, monkeypatch):
    seen, real = [], subprocess.run

    def run(command, **options):
        seen.append((command, options["input"]))
        return real(command, **options)

    monkeypatch.setattr(identity.subprocess, "run", run)
    state = secure.joined(tmp_path, "silent")
    code = secure.codes[-1]
    key = (state / IDENTITY_FILE).read_text().split("-----")[2].strip()
    secrets = {key.splitlines()[1], code[:23], read_code(code)[1].hex()}
    command, told = seen[-1]
    assert command == [sys.executable, "-I", identity.certificate_request.__file__]
    context = Identity(state).context()
    context.check_hostname = False
    line = http.client.HTTPSConnection("127.0.0.1", secure.port, context=context, timeout=10)
    line.request("GET", "/metrics")
    told += line.getresponse().read()
    line.close()
    arguments = b"".join(
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )
    said = "".join(secure.said) + arguments.decode(errors="replace") + told.decode()
    assert not [secret for secret in secrets if secret in said]
