"""How odd it is that a TCP connection is kept open so: by its port, what is spoken, and whom it calls."""

from __future__ import annotations

from numba import njit

from dijkwacht_detectors.knowledge.hinted import began_at_resp, named_by, speech_of
from dijkwacht_detectors.knowledge.ports import FREE, WEB, WEB_TOO, port_use
from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_records.hints import Named, Speech

_NOBODY, _UNKNOWN = int(Named.NOBODY), int(Named.UNKNOWN)
_NOTHING, _TLS, _HTTP = int(Speech.NOTHING), int(Speech.TLS), int(Speech.HTTP)
_TEXT, _BYTES, _QUIC = int(Speech.TEXT), int(Speech.BYTES), int(Speech.QUIC)


@njit_lean
def oddness(port, hints):  # type: ignore[no-untyped-def]
    """How odd a line to this port is that is spoken so, in 0-3.

    >>> from dijkwacht_records.hints import RESP_FIRST, SPEECH
    >>> words = SPEECH.put(Speech.TEXT)
    >>> oddness(5200, words), oddness(5200, words | RESP_FIRST.put(1)), oddness(5222, words)
    (2.0, 3.0, 0.03125)
    """
    speech, use = speech_of(hints), port_use(port)
    if speech == _HTTP:
        return 1.0
    if speech in (_TLS, _QUIC):
        return 1 / 4 if use == FREE else 1 / 64
    if speech not in (_TEXT, _BYTES, _NOTHING):
        return 1 / 4 if use == FREE else 1 / 32
    if use == FREE:
        odd = 2.0 if speech == _TEXT else 1.0  # makers' programs speak bytes, people words
    elif use == WEB_TOO:
        odd = 1 / 4
    else:
        odd = 1 / 8 if use == WEB and speech == _TEXT else 1 / 32
    if speech == _NOTHING:
        return odd / 2
    first = began_at_resp(hints)
    return 1.5 * odd if first else odd  # at such ports it is clients who begin


@njit(cache=True, nogil=True, inline="always")
def strangeness(port, hints, news):  # type: ignore[no-untyped-def]
    """How odd it is that the one called was named so, in 0-4."""
    named, speech = named_by(hints), speech_of(hints)
    if named == _NOBODY:
        weak = speech not in (_TEXT, _BYTES, _NOTHING) or port_use(port) == WEB
        return 2.0 if weak else 4.0
    if speech == _HTTP:
        return 1.0 if named == _UNKNOWN else 1 / 32
    if named == _UNKNOWN and (speech == _TEXT or (speech == _BYTES and began_at_resp(hints))):
        return 1.0  # between the two; for the other bytes devices' lines are the rule
    # devices call a few, and hold such lines to their maker; who calls many is a person's machine
    person = news / (16.0 + news)
    return (0.25 if named == _UNKNOWN else 0.125) + 0.25 * person


@njit(cache=True, nogil=True, inline="always")
def like_a_shell(port, hints):  # type: ignore[no-untyped-def]
    """How much a line between two machines of the site is like a shell that called back, in 0-6.

    >>> from dijkwacht_records.hints import RESP_FIRST, SPEECH
    >>> words = SPEECH.put(Speech.TEXT)
    >>> like_a_shell(4444, words | RESP_FIRST.put(1)), like_a_shell(4444, words)
    (6.0, 0.0)
    """
    speech = speech_of(hints)
    if port_use(port) != FREE or not began_at_resp(hints) or speech not in (_TEXT, _BYTES):
        return 0.0
    known = 1.0 if named_by(hints) in (_NOBODY, _UNKNOWN) else 1 / 8
    return 2.0 * known * (oddness(port, hints) if speech == _TEXT else 1 / 4)
