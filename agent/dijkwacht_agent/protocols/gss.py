"""Security tokens of GSS-API and SPNEGO: by what method somebody proves who he is.

No ASN.1 is parsed: the few tokens that matter begin with bytes that nothing else holds.
"""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.protocols import ntlm
from dijkwacht_records.vocabulary import AuthMethod

_KERBEROS: Final = bytes.fromhex("06092a864886f712010202")
"""RFC 4121's object identifier; Windows' own spelling differs in one byte."""
_KERBEROS_OF_WINDOWS: Final = bytes.fromhex("06092a864882f712010202")
_AP_REQUEST: Final = b"\x01\x00\x6e"
_BARE_AP_REQUEST: Final = bytes.fromhex("a003020105a10302010e")
"""How an AP-REQ begins behind its lengths: version 5, type 14. DCE/RPC sends it so, also inside SPNEGO."""


def method_of(token: bytes) -> AuthMethod:
    """How ``token`` proves who sends it; ``UNKNOWN`` if it only offers methods, or is none.

    >>> method_of(ntlm.SIGNATURE + bytes([1, 0, 0, 0]))
    <AuthMethod.NTLM: 2>
    """
    if ntlm.SIGNATURE in token:
        return AuthMethod.ANONYMOUS if ntlm.is_anonymous(token) else AuthMethod.NTLM
    if (
        _KERBEROS + _AP_REQUEST in token
        or _KERBEROS_OF_WINDOWS + _AP_REQUEST in token
        or _BARE_AP_REQUEST in token
    ):
        return AuthMethod.KERBEROS
    return AuthMethod.UNKNOWN
