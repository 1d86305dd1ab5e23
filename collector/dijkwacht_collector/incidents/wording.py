"""The words of an incident: a detector's explanation, with the names of its evidence filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dijkwacht_collector.incidents.incident import Evidence
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import format_address, format_mac
from dijkwacht_records.pseudonyms import is_hashed_label

PLACEHOLDERS: Final = ("src", "dst", "port", "name", "mac")
"""What an explanation may leave open, in braces."""
_LONGEST_NAME: Final = 40


def fill(explanation: Explanation, evidence: Evidence, subject: str) -> Explanation:
    """``explanation`` with its places filled. Raises ``KeyError``, ``ValueError`` for a place that is none."""
    mac = format_mac(evidence.src_mac)
    names = dict(
        zip(
            PLACEHOLDERS,
            (
                format_address(evidence.src_h) or mac or subject,
                format_address(evidence.dst_h),
                str(evidence.dst_p),
                _short_name(evidence.name),
                mac,
            ),
            strict=True,
        )
    )
    return Explanation(
        explanation.title_en.format_map(names),
        explanation.title_nl.format_map(names),
        explanation.desc_en.format_map(names),
        explanation.desc_nl.format_map(names),
        explanation.technique,
    )


def with_others(words: Explanation, others: Sequence[Explanation]) -> Explanation:
    """``words``, and what else is unusual about the same machine.

    >>> calls = Explanation("It calls out.", "Het belt naar buiten.", "Look at it.", "Kijk ernaar.")
    >>> asks = Explanation("It asks odd names.", "Het vraagt vreemde namen.", "", "")
    >>> with_others(calls, [asks]).desc_en
    'Look at it. There is more about this machine that is unusual: It asks odd names.'
    """
    if not others:
        return words
    more_en = " ".join(dict.fromkeys(other.title_en for other in others))
    more_nl = " ".join(dict.fromkeys(other.title_nl for other in others))
    return Explanation(
        words.title_en,
        words.title_nl,
        f"{words.desc_en} There is more about this machine that is unusual: {more_en}",
        f"{words.desc_nl} Er is meer ongewoons aan dit apparaat: {more_nl}",
        words.technique,
    )


def _short_name(name: str) -> str:
    r"""A name that fits in a sentence: its end, which names its owner, and printable characters only.

    >>> _short_name("www.example.org"), _short_name("a" * 60 + ".t.example.org")
    ('www.example.org', '…aaaaaaaaaaaaaaaaaaaaaaaaaa.t.example.org')
    >>> _short_name("\x1b[2J\r\nall is well\u202e")
    '�[2J��all is well�'
    """
    at = max(len(name) - _LONGEST_NAME, 0)
    label = name.rfind(".", 0, at + 1) + 1
    if is_hashed_label(name[label:].partition(".")[0]):
        at = label  # a pseudonym is opened whole or not at all
    end = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[at:])
    return end if not at else f"…{end}"
