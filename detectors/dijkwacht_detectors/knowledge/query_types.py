"""Record types that are asked for, for kernels: which of them an office machine asks for, and for what."""

from __future__ import annotations

from numba import njit

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33
NAPTR, DS, RRSIG, DNSKEY, TLSA, SVCB, HTTPS, ANY, CAA = 35, 43, 46, 48, 52, 64, 65, 255, 257
HASH = 64
"""Characters of the longest hash that is asked about, SHA-256 in hexadecimal."""


@njit(cache=True, nogil=True, inline="always")
def oddity(qtype):  # type: ignore[no-untyped-def]
    """How odd it is that an office machine asks for this record type below a domain."""
    if qtype in (A, AAAA, HTTPS, SVCB, NS, PTR, DS, RRSIG, DNSKEY, TLSA, NAPTR, CAA):
        return 0.0  # hosts, and what resolvers and mail servers need
    if qtype == SOA:
        return 0.3  # a Windows machine that registers its name
    if qtype in (TXT, MX, ANY):
        return 0.5
    if qtype in (CNAME, SRV):  # a service's name begins with an underscore, and was left out
        return 1.0
    return 2.0


@njit(cache=True, nogil=True, inline="always")
def type_bit(qtype):  # type: ignore[no-untyped-def]
    """A bit for each kind of odd record type, 0 for the ordinary ones; 1 is TXT."""
    if qtype == TXT:
        return 1
    if qtype == MX:
        return 2
    if qtype == CNAME:
        return 4
    if qtype == SRV:
        return 8
    if qtype == SOA:
        return 16
    return 32 if oddity(qtype) >= 2.0 else 0


@njit(cache=True, nogil=True, inline="always")
def of_data(types, chars, alike, names):  # type: ignore[no-untyped-def]
    """How far a domain's names can be data, 0-1: hardly if all are of one length, and that of a hash."""
    if types & ~1 or chars > HASH:
        return 1.0
    even = min(1.0, max(0.0, (alike / max(names, 1.0) - 0.6) / 0.3))
    return 1.0 - (0.85 if types else 0.9) * even
