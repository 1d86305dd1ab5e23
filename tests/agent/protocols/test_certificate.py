"""Certificates as cryptography signs them, cut and changed."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dijkwacht_agent.protocols.certificate import DAY_US, read_certificate
from dijkwacht_records.vocabulary import CertFlag

NOW = 1_760_000_000_000_000
S = CertFlag.SEEN
places = st.integers(0, 500)
EVERY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize(
    ("made", "asked", "days", "age", "flags"),
    [
        ({"issuer": "CA", "names": ("www.example.nl",)}, "www.example.nl", 365, 10, 0),
        ({"names": ("www.example.nl",)}, "www.example.nl", 365, 10, CertFlag.SELF_SIGNED),
        ({"issuer": "CA", "names": ("a.nl", "*.example.nl")}, "www.example.nl", 365, 10, 0),
        ({"issuer": "CA", "names": ("*.example.nl",)}, "example.nl", 365, 10, CertFlag.OTHER_NAME),
        ({"issuer": "CA", "names": ("*.nl",)}, "www.example.nl", 365, 10, CertFlag.OTHER_NAME),
        ({"issuer": "CA", "names": ("192.0.2.1",)}, "192.0.2.1", 365, 10, 0),
        ({"issuer": "CA", "names": ("192.0.2.1",)}, "192.0.2.2", 365, 10, CertFlag.OTHER_NAME),
        ({"issuer": "CA", "names": ("a.nl",)}, "", 365, 10, 0),
        ({"issuer": "CA"}, "www.example.nl", 365, 10, CertFlag.NO_ALTERNATIVE),
        (
            {"issuer": "CA"},
            "other.nl",
            365,
            10,
            CertFlag.NO_ALTERNATIVE | CertFlag.OTHER_NAME,
        ),
        (
            {"begin": 2, "end": 3, "issuer": "CA", "names": ("a.nl",)},
            "a.nl",
            1,
            -2,
            CertFlag.NOT_YET,
        ),
        (
            {"begin": -9, "end": -2, "issuer": "CA", "names": ("a.nl",)},
            "a.nl",
            7,
            9,
            CertFlag.EXPIRED,
        ),
        (
            {"subject": "", "issuer": "CA", "names": ("a.nl",), "end": 20_000},
            "a.nl",
            20_010,
            10,
            CertFlag.EMPTY_SUBJECT,
        ),
    ],
)
def test_what_a_certificate_shows(make_certificate, made, asked, days, age, flags):
    certificate, _ = make_certificate(**made)
    read = read_certificate(certificate.public_bytes(Encoding.DER), NOW, asked)
    assert read == (days, age, S | flags)


def test_a_cut_certificate_accuses_nobody(make_certificate):
    certificate, _ = make_certificate(issuer="CA", names=("a.nl",), pad=5000)
    der = certificate.public_bytes(Encoding.DER)
    assert read_certificate(der[:4096], NOW, "b.nl") == (365, 10, S)
    assert read_certificate(der, NOW, "b.nl") == (365, 10, S | CertFlag.OTHER_NAME)


@EVERY
@given(data=st.data())
def test_changed_certificates_never_raise(make_certificate, data):
    certificate, _ = make_certificate(names=("www.example.nl", "192.0.2.1"))
    der = bytearray(certificate.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 8))):
        der[data.draw(places) % len(der)] = data.draw(st.integers(0, 255))
    read = read_certificate(bytes(der[: data.draw(places)]), NOW, "a.nl")
    assert read.flags & S
    assert abs(read.days) <= 9999 * 366
    assert read.age <= NOW // DAY_US + 2000 * 366


@given(st.binary(max_size=300))
def test_any_bytes_are_some_certificate(data):
    assert read_certificate(data, NOW, "a.nl").flags & S
