"""The words of an incident: a detector's explanation, with the names of its evidence filled in."""

from __future__ import annotations

from dijkwacht_collector.incidents.incident import Evidence
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import format_address, format_mac

_LONGEST_NAME = 40


def fill(explanation: Explanation, evidence: Evidence, subject: str) -> Explanation:
    """``explanation`` with its places filled. Raises ``KeyError``, ``ValueError`` for a place that is none."""
    names = {
        "src": format_address(evidence.src_h) or format_mac(evidence.src_mac) or subject,
        "dst": format_address(evidence.dst_h),
        "port": str(evidence.dst_p),
        "name": _short_name(evidence.name),
        "mac": format_mac(evidence.src_mac),
    }
    return Explanation(
        explanation.title_en.format_map(names),
        explanation.title_nl.format_map(names),
        explanation.desc_en.format_map(names),
        explanation.desc_nl.format_map(names),
    )


def _short_name(name: str) -> str:
    r"""A name that fits in a sentence: its end, which says whose it is, and nothing but print.

    >>> _short_name("www.example.org"), _short_name("a" * 60 + ".t.example.org")
    ('www.example.org', '…aaaaaaaaaaaaaaaaaaaaaaaaaa.t.example.org')
    >>> _short_name("\x1b[2J\r\nall is well\u202e")
    '�[2J��all is well�'
    """
    end = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[-_LONGEST_NAME:]
    )
    return end if len(name) <= _LONGEST_NAME else f"…{end}"
