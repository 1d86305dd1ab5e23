"""What the tests of protocols share: handshakes as OpenSSL makes them, certificates, and a meter to feed."""

import contextlib
import datetime as dt
import gc
import ipaddress
import ssl
from collections.abc import Callable
from types import FunctionType, ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.tables import TABLES, TLS

CLIENT, SERVER = "10.0.0.1", "192.0.2.53"
NOW = 1_760_000_000_000_000
DAY = 86_400_000_000


@pytest.fixture(scope="session")
def make_certificate():
    """Certificates valid from ``begin`` to ``end`` days from `NOW`, as (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())

    def make(begin=-10, end=355, subject="www.example.nl", issuer=None, names=None, pad=0):
        moment = dt.datetime.fromtimestamp(NOW / 1e6, dt.UTC)

        def name(text):
            held = [x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else []
            return x509.Name(held)

        made = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(subject if issuer is None else issuer))
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(moment + dt.timedelta(days=begin))
            .not_valid_after(moment + dt.timedelta(days=end))
        )
        if pad:
            bulk = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(pad))
            made = made.add_extension(bulk, critical=False)
        if names:
            general = [
                x509.IPAddress(ipaddress.ip_address(text))
                if text[0].isdigit()
                else x509.DNSName(text)
                for text in names
            ]
            made = made.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return made.sign(key, hashes.SHA256()), key

    return make


class Handshakes:
    """Makes handshakes of OpenSSL with OpenSSL."""

    def __init__(self, make_certificate, folder):
        self.make_certificate, self.folder = make_certificate, folder
        self.contexts = {}
        self.made = {}

    def once(self, version, pad):
        """The same handshake whenever it is asked for."""
        if (version, pad) not in self.made:
            self.made[version, pad] = self(version, pad=pad)[0]
        return self.made[version, pad]

    def server_context(self, version, pad, protocols):
        if (version, pad, protocols) in self.contexts:
            return self.contexts[version, pad, protocols]
        certificate, key = self.make_certificate(names=("www.example.nl",), issuer="CA", pad=pad)
        path = self.folder / f"{len(self.contexts)}.pem"
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = serialization.Encoding.PEM
        path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, *form))
        context = self.contexts[version, pad, protocols] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.maximum_version = version
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def __call__(self, version=ssl.TLSVersion.TLSv1_2, session=None, pad=0, alpn=()):
        """What both sides sent as (by the client, bytes), and what another resumes the session with."""
        if session is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(list(alpn))
        else:
            context, session = session
        name = "www.example.nl"
        ins, outs = ([ssl.MemoryBIO(), ssl.MemoryBIO()] for _ in range(2))
        client = context.wrap_bio(ins[0], outs[0], server_hostname=name, session=session)
        server = self.server_context(version, pad, alpn).wrap_bio(ins[1], outs[1], server_side=True)
        said = []
        for turn in range(8):
            side = client if turn % 2 == 0 else server
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
                if side is server:
                    side.write(b"x")
                elif turn > 2:
                    side.read(1)
            if data := outs[turn % 2].read():
                ins[1 - turn % 2].write(data)
                said.append((side is client, data))
        return said, (context, client.session)


@pytest.fixture(scope="session")
def make_handshake(make_certificate, tmp_path_factory):
    return Handshakes(make_certificate, tmp_path_factory.mktemp("handshakes"))


class Talk:
    """Feeds a meter the segments of one connection: each continues where its side's last ended."""

    def __init__(self, meter=None, sport=40_000, dport=443):
        self.meter = meter or Meter(LocalNetworks())
        self.ports = sport, dport
        self.next = {True: 1000, False: 4_294_967_000}
        self.time = NOW

    def say(self, from_client, data, *, seq=None, keep=None, after=1000):
        """One segment, of which the capture keeps ``keep`` bytes, ``after`` µs after the one before."""
        ends, ports = (CLIENT, SERVER), self.ports
        if not from_client:
            ends, ports = ends[::-1], ports[::-1]
        at = self.next[from_client] if seq is None else seq
        segment = TCP(sport=ports[0], dport=ports[1], flags="PA", seq=at & 0xFFFFFFFF) / Raw(data)
        frame = bytes(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IP(src=ends[0], dst=ends[1])
            / segment
        )
        self.time += after
        kept = frame if keep is None else frame[: len(frame) - len(data) + keep]
        self.meter.feed(block_of([(self.time, 1, kept, len(frame), 0)]))
        if seq is None:
            self.next[from_client] = (at + len(data)) & 0xFFFFFFFF
        return self

    def rows(self):
        """The rows of ``tls`` so far, as dictionaries."""
        names = [column.name for column in TLS.columns]
        return [
            dict(zip(names, row, strict=True))
            for number, row in self.meter.take().rows()
            if number == TABLES.index(TLS)
        ]


@pytest.fixture
def talk():
    return Talk()


@pytest.fixture
def make_talk():
    return Talk


@pytest.fixture(scope="session")
def kept() -> Callable[[object], list[bytes]]:
    """All bytes that an object reaches, however deep."""

    def reach(root: object) -> list[bytes]:
        seen, waiting, found = {id(root)}, [root], []
        while waiting:
            for one in gc.get_referents(waiting.pop()):
                if id(one) in seen or isinstance(one, (type, ModuleType, FunctionType)):
                    continue
                seen.add(id(one))
                waiting.append(one)
                if isinstance(one, (bytes, bytearray, str)):
                    found.append(one.encode() if isinstance(one, str) else bytes(one))
        return found

    return reach
