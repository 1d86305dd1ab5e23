"""What sensors call parts of a DNS message → the numbers that stand in the message itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TYPES: Final = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "WKS": 11, "PTR": 12, "HINFO": 13,
    "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "SIG": 24, "KEY": 25, "AAAA": 28, "LOC": 29,
    "NIMLOC": 32, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "A6": 38, "DNAME": 39, "OPT": 41,
    "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48,
    "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52, "CDS": 59, "CDNSKEY": 60, "SVCB": 64,
    "HTTPS": 65, "SPF": 99, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "ANY": 255,
    "URI": 256, "CAA": 257,
}  # fmt: skip
"""Types of records."""
RCODES: Final = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5,
    "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10, "BADVERS": 16,
}  # fmt: skip
"""Response codes."""


def type_of(name: str) -> int:
    """The number of a record's type, by its name or as ``TYPE65``; 0 if it is not known."""
    number = name.upper().removeprefix("TYPE")
    if number.isascii() and number.isdigit():
        return min(int(number), 0xFFFF)
    return TYPES.get(name.upper(), 0)


def least_answer(query: str, answers: Iterable[str]) -> int:
    """The least bytes that such an answer takes on the wire, where a log keeps no size."""
    return 12 + len(query) + 6 + sum(12 + len(answer) for answer in answers)
