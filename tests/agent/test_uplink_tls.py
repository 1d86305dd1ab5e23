"""The same uplink over TLS, with a certificate made on the spot."""

import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dijkwacht_agent.uplink import Post


@pytest.fixture(name="certificate")
def _certificate(tmp_path):
    """A PEM file with key and self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "collector")])
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
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "collector.pem"
    form = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(form, *plain) + certificate.public_bytes(form))
    return path


@pytest.fixture(name="url")
def _url(collector, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    collector.server.socket = context.wrap_socket(collector.server.socket, server_side=True)
    return collector.url.replace("http:", "https:")


def test_a_collector_with_a_known_certificate_gets_batches(collector, url, certificate):
    post = Post(url, "dw_secret", certificate)
    post(b"one")
    post(b"two")
    post.close()
    assert collector.received == [b"one", b"two"]


def test_a_collector_with_an_unknown_certificate_gets_nothing(collector, url):
    post = Post(url, "dw_secret")
    with pytest.raises(ssl.SSLCertVerificationError):
        post(b"one")
    assert collector.received == []
    assert issubclass(ssl.SSLCertVerificationError, OSError)  # kept in the spool, tried again
