"""The server's side of a handshake, as Zeek's ssl log tells it."""

import pytest

from dijkwacht_records.vocabulary import Alpn, CertFlag

SSL = [
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "version", "cipher",
    "server_name", "resumed", "last_alert", "next_protocol", "established", "cert_chain_fps",
    "subject", "issuer", "validation_status", "sni_matches_cert", "ja4",
]  # fmt: skip
ENDS = {
    "ts": "9", "uid": "C", "id.orig_h": "10.0.0.1", "id.orig_p": "9", "id.resp_h": "10.0.0.2",
    "id.resp_p": "443",
}  # fmt: skip


@pytest.fixture
def hello(log, zeek, read_named):
    """The row of a line of ssl.log."""

    def row(**values):
        (found,), problems = read_named(log(zeek("ssl", SSL, ENDS | values)))
        assert problems == []
        assert found[0] == "tls"
        return found[1]

    return row


def test_tls_names_and_versions(hello):
    row = hello(version="TLSv13", cipher="x", server_name="Mail.Example")
    assert (row["version"], row["server_name"]) == (0x0304, "mail.example")
    assert (row["cipher"], row["alpn"], row["cert_flags"], row["alert"]) == (0, 0, 0, 0)


def test_the_servers_side_of_tls(hello):
    row = hello(
        version="TLSv12",
        cipher="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        resumed="T",
        next_protocol="h2",
        established="T",
        last_alert="bad_certificate",
        ja4="t13d1516h2_8daaf6152771_e5627efa2ab1",
    )
    assert (row["server_version"], row["cipher"], row["alpn"]) == (0x0303, 0xC02F, Alpn.H2)
    assert (row["resumed"], row["alert"]) == (1, 0)
    assert row["ja4"] == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello(version="TLSv12", last_alert="unknown_ca")["alert"] == 49
    assert hello(version="TLSv12", ja4="Jan de Vries")["ja4"] == ""


@pytest.mark.parametrize(
    ("columns", "flags"),
    [
        ({"cert_chain_fps": "a1,b2"}, CertFlag.SEEN),
        ({"subject": "CN=x", "issuer": "CN=y"}, CertFlag.SEEN),
        ({"subject": "CN=x", "issuer": "CN=x"}, CertFlag.SEEN | CertFlag.SELF_SIGNED),
        ({"validation_status": "self signed certificate"}, CertFlag.SEEN | CertFlag.SELF_SIGNED),
        ({"validation_status": "certificate has expired"}, CertFlag.SEEN | CertFlag.EXPIRED),
        ({"validation_status": "certificate is not yet valid"}, CertFlag.SEEN | CertFlag.NOT_YET),
        ({"subject": "(empty)"}, CertFlag.SEEN | CertFlag.EMPTY_SUBJECT),
        ({"sni_matches_cert": "F"}, CertFlag.SEEN | CertFlag.OTHER_NAME),
        ({"sni_matches_cert": "T"}, 0),
    ],
)
def test_what_a_certificate_shows(hello, columns, flags):
    assert hello(version="TLSv12", **columns)["cert_flags"] == flags
