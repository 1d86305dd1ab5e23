"""The same uplink over TLS, with a certificate made on the spot."""

import ssl

import pytest

from dijkwacht_agent.uplink import Post


@pytest.fixture(name="certificate")
def _certificate(receiver_certificate):
    return receiver_certificate[0]


@pytest.fixture(name="url")
def _url(collector, receiver_certificate):
    _, context = receiver_certificate
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
