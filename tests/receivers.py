"""Who gets notices in tests: a webhook and a mail server, each a few lines, on this machine."""

import base64
import datetime as dt
import email
import http.server
import ipaddress
import json
import socketserver
import ssl
import threading
import time

import pytest


def wait_for(done, limit_s=60.0):
    """Until ``done()`` is true, which it gives back."""
    end = time.monotonic() + limit_s
    while not (found := done()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
    return found


class Webhook:
    """``letters``: the JSON that was posted; ``calls``: paths that were got. ``script``: statuses to give first."""

    def __init__(self, context=None):
        self.letters, self.calls, self.script = [], [], []
        self.content_types = []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(double.calls, self.path)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                double.content_types.append(self.headers["Content-Type"])
                self.answer(double.letters, body)

            def answer(self, kept, what):
                status = double.script.pop(0) if double.script else 204
                if status < 300:
                    kept.append(what)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class MailServer:
    """``mails``: (sender, receivers, message, whether it came by TLS). ``password``: who must log in as ``user``.

    ``refuses``: answers to give to so many mails first.
    """

    def __init__(self, context=None, password=None):  # noqa: C901  # one handler, all verbs
        self.mails, self.refuses, self.password, self.user = [], [], password, "baker"
        double = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")

            def handle(self):
                self.tls = self.known = False
                self.say("220 ready")
                sender, receivers = "", []
                while line := self.rfile.readline().decode().strip():
                    verb, _, rest = line.partition(" ")
                    match verb.upper():
                        case "EHLO" | "HELO":
                            self.greet()
                        case "STARTTLS" if context is not None:
                            self.say("220 go on")
                            self.request = context.wrap_socket(self.request, server_side=True)
                            self.rfile = self.request.makefile("rb")
                            self.wfile = self.request.makefile("wb", buffering=0)
                            self.tls = True
                        case "AUTH":
                            self.log_in(rest)
                        case "MAIL" if double.password and not self.known:
                            self.say("530 log in first")
                        case "MAIL":
                            sender = rest[len("FROM:") :].split()[0].strip("<>")
                            self.say("250 ok")
                        case "RCPT":
                            receivers.append(rest[len("TO:") :].split()[0].strip("<>"))
                            self.say("250 ok")
                        case "DATA":
                            self.take(sender, receivers)
                        case "QUIT":
                            self.say("221 bye")
                            return
                        case _:
                            self.say("250 ok")

            def finish(self):
                super().finish()
                self.request.close()

            def greet(self):
                offers = ["mail.test"]
                if context is not None and not self.tls:
                    offers.append("STARTTLS")
                if double.password:
                    offers.append("AUTH PLAIN")
                for offer in offers[:-1]:
                    self.say(f"250-{offer}")
                self.say(f"250 {offers[-1]}")

            def log_in(self, rest):
                given = base64.b64decode(rest.partition(" ")[2]).split(b"\0")
                self.known = given[1:] == [double.user.encode(), double.password.encode()]
                self.say("235 welcome" if self.known else "535 who are you?")

            def take(self, sender, receivers):
                if double.refuses:
                    self.say(double.refuses.pop(0))
                    return
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                message = email.message_from_bytes(b"".join(lines))
                double.mails.append((sender, list(receivers), message, self.tls))
                self.say("250 taken")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def texts(self):
        """What each mail says."""
        return [m.get_payload(decode=True).decode() for _, _, m, _ in self.mails]


def make_certificate(path):
    """A PEM file with key and self-signed certificate for 127.0.0.1."""
    from cryptography import x509  # noqa: PLC0415  every run of the tests loads this file
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def receiver_certificate(tmp_path):
    """The file, and a server's context that uses it."""
    path = make_certificate(tmp_path / "receiver.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


@pytest.fixture
def webhook():
    double = Webhook()
    yield double
    double.close()


@pytest.fixture
def mail_server():
    double = MailServer()
    yield double
    double.close()


@pytest.fixture
def receivers():
    """Makes receivers with options, and ends them: ``receivers("mail", password="...")``."""
    made = []

    def make(kind, *given, **options):
        made.append({"webhook": Webhook, "mail": MailServer}[kind](*given, **options))
        return made[-1]

    yield make
    for double in made:
        double.close()


@pytest.fixture(name="wait_for")
def _wait_for():
    return wait_for
