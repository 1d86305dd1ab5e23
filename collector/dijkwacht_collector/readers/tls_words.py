"""What sensors call parts of a TLS handshake → the numbers that stand in the handshake itself."""

from __future__ import annotations

import re
from typing import Final

from dijkwacht_records.vocabulary import Alpn

VERSIONS: Final = {
    "SSLv2": 0x0002, "SSLv3": 0x0300, "TLSv10": 0x0301, "TLSv11": 0x0302, "TLSv12": 0x0303,
    "TLSv13": 0x0304, "DTLSv10": 0xFEFF, "DTLSv12": 0xFEFD, "DTLSv13": 0xFEFC,
    "TLSv1": 0x0301, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303, "TLS 1.3": 0x0304,
}  # fmt: skip
"""Versions as Zeek and Suricata name them."""

CIPHERS: Final = {
    "TLS_RSA_WITH_NULL_MD5": 0x0001, "TLS_RSA_WITH_NULL_SHA": 0x0002,
    "TLS_RSA_WITH_RC4_128_MD5": 0x0004, "TLS_RSA_WITH_RC4_128_SHA": 0x0005,
    "TLS_RSA_WITH_DES_CBC_SHA": 0x0009, "TLS_RSA_WITH_3DES_EDE_CBC_SHA": 0x000A,
    "TLS_DHE_RSA_WITH_DES_CBC_SHA": 0x0015, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA": 0x0016,
    "TLS_DH_ANON_WITH_RC4_128_MD5": 0x0018,
    "TLS_RSA_WITH_AES_128_CBC_SHA": 0x002F, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA": 0x0032,
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA": 0x0033, "TLS_RSA_WITH_AES_256_CBC_SHA": 0x0035,
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA": 0x0039, "TLS_RSA_WITH_AES_128_CBC_SHA256": 0x003C,
    "TLS_RSA_WITH_AES_256_CBC_SHA256": 0x003D, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA": 0x0041,
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256": 0x0067, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256": 0x006B,
    "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA": 0x0084, "TLS_PSK_WITH_AES_128_CBC_SHA": 0x008C,
    "TLS_PSK_WITH_AES_256_CBC_SHA": 0x008D,
    "TLS_RSA_WITH_AES_128_GCM_SHA256": 0x009C, "TLS_RSA_WITH_AES_256_GCM_SHA384": 0x009D,
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256": 0x009E, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384": 0x009F,
    "TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303, "TLS_AES_128_CCM_SHA256": 0x1304,
    "TLS_AES_128_CCM_8_SHA256": 0x1305,
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA": 0xC007, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA": 0xC008,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": 0xC009, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": 0xC00A,
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA": 0xC011, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": 0xC012,
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": 0xC013, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": 0xC014,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": 0xC023,
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384": 0xC024,
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": 0xC027,
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384": 0xC028,
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xC02B,
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xC02C,
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xC02F,
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": 0xC030,
    "TLS_RSA_WITH_AES_128_CCM": 0xC09C, "TLS_RSA_WITH_AES_256_CCM": 0xC09D,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM": 0xC0AC, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM": 0xC0AD,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": 0xC0AE, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8": 0xC0AF,
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCA8,
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCA9,
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCAA,
}  # fmt: skip
"""Cipher suites that servers choose; any other is 0, not known."""

ALERTS: Final = {
    "unexpected_message": 10, "bad_record_mac": 20, "decryption_failed": 21, "record_overflow": 22,
    "decompression_failure": 30, "handshake_failure": 40, "no_certificate": 41,
    "bad_certificate": 42, "unsupported_certificate": 43, "certificate_revoked": 44,
    "certificate_expired": 45, "certificate_unknown": 46, "illegal_parameter": 47,
    "unknown_ca": 48, "access_denied": 49, "decode_error": 50, "decrypt_error": 51,
    "export_restriction": 60, "protocol_version": 70, "insufficient_security": 71,
    "internal_error": 80, "inappropriate_fallback": 86, "unsupported_extension": 110,
    "unrecognized_name": 112, "bad_certificate_status_response": 113, "unknown_psk_identity": 115,
    "certificate_required": 116, "no_application_protocol": 120,
}  # fmt: skip
"""Alerts that end a handshake."""

JA4: Final = re.compile(r"[tqd][0-9a-z]{9}_[0-9a-f]{12}_[0-9a-f]{12}", re.ASCII)
"""What JA4 looks like: anything else in its column is not passed on."""
_ALPN: Final = {
    "h2": Alpn.H2, "http/1.1": Alpn.HTTP_1_1, "h3": Alpn.H3, "http/1.0": Alpn.HTTP_1_0,
    "dot": Alpn.DOT,
}  # fmt: skip


def alpn_of(name: str) -> Alpn:
    """The protocol of this name, `Alpn.NONE` without one."""
    return _ALPN.get(name, Alpn.OTHER) if name else Alpn.NONE
