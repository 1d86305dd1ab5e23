"""What the agent's tests share: a collector of a few lines, and a recording made on the spot."""

import base64
import http.server
import json
import struct
import threading
import time
from pathlib import Path

import pytest

from dijkwacht_records import wire
from dijkwacht_records.replies import Reply, encode_reply

TOKEN = "dw_secret"


class CollectorDouble:
    """``script`` holds (status, body, headers) answers to give first; then every batch is taken.

    ``answers`` holds such answers by path for what is not a batch, kept in ``asked``.
    """

    def __init__(self):  # noqa: C901  # one handler, all paths
        self.script, self.received, self.paths, self.joins = [], [], [], []
        self.troubles = []
        self.orders, self.clock_ahead, self.reads = [], 0, (1,)
        self.asked, self.answers = [], {}
        self.join_answer = (
            200,
            {"site": "bakery", "token": TOKEN, "order_key": base64.b64encode(bytes(32)).decode()},
        )
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                if self.path == "/v1/pairing":
                    self.do_POST()
                else:
                    self.answer(200, b"{}")

            def do_PUT(self):
                self.do_POST()

            def do_DELETE(self):
                self.do_POST()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                double.paths.append(self.path)
                double.troubles.append(self.headers["Dijkwacht-Trouble"])
                if self.path.startswith(("/v1/orders/", "/v1/pairing")):
                    double.asked.append((self.command, self.path, body))
                    found = double.answers.get(self.path, [])
                    self.answer(*(found.pop(0) if found else (200, b"{}")))
                elif self.path.endswith("/v1/join"):
                    double.joins.append(json.loads(body))
                    status, said = double.join_answer
                    self.answer(status, json.dumps(said).encode())
                elif double.script:
                    self.answer(*double.script.pop(0))
                elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                    self.answer(401, b'{"reason":"not_authorised","message":"who are you?"}')
                else:
                    double.received.append(body)
                    now = time.time_ns() // 1000 + double.clock_ahead
                    reply = Reply(0, False, now, double.reads, double.orders)
                    self.answer(200, encode_reply(reply))

            def answer(self, status, body, headers=()):
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def rows(self):
        return [row for body in self.received for row in wire.unpack_rows(wire.decode(body))]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def wait_for(self, done, limit_s=30.0):
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.005)


@pytest.fixture
def collector():
    double = CollectorDouble()
    yield double
    double.close()


@pytest.fixture
def joined(tmp_path, collector):
    """A state folder that has joined the double's site."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "token").write_text(TOKEN)
    (state / "agent.toml").write_text(
        f'site = "bakery"\nagent = "till"\nurl = "{collector.url}"\nheartbeat_s = 1\n'
    )
    return state


@pytest.fixture
def recording(tmp_path) -> Path:
    """Ten DNS questions of 192.168.1.5 for one name, a second apart, as a pcap."""
    frames = []
    for n in range(10):
        name = b"\x03www\x07example\x02nl\x00"
        dns = struct.pack(">6H", n, 0x0100, 1, 0, 0, 0) + name + b"\x00\x01\x00\x01"
        udp = struct.pack(">4H", 50_000 + n, 53, 8 + len(dns), 0) + dns
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0)
        ip += bytes([192, 168, 1, 5, 9, 9, 9, 9])
        data = b"\x02\x00\x00\x00\x00\x01\x00\x1b\x21\xaa\xbb\xcc\x08\x00" + ip + udp
        frames.append(struct.pack("<4I", 1_700_000_000 + n, 0, len(data), len(data)) + data)
    path = tmp_path / "questions.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(frames))
    return path
