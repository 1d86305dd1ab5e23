"""What ``flows.hints`` says, for kernels: its fields as `dijkwacht_records.hints` lays them out."""

from __future__ import annotations

from typing import Final

from numba import njit

from dijkwacht_records.hints import NAMED, RESP_FIRST, SPEECH

_NAMED, _NAMES = NAMED.shift, (1 << NAMED.width) - 1
_SPEECH, _SPEECHES = SPEECH.shift, (1 << SPEECH.width) - 1
_RESP_FIRST = RESP_FIRST.shift
LASTING: Final = _NAMES << _NAMED | _SPEECHES << _SPEECH | 1 << _RESP_FIRST
"""Bits of what stays true of a flow: name, speech and who began."""


@njit(cache=True, nogil=True, inline="always")
def named_by(hints):  # type: ignore[no-untyped-def]
    """Who looked the responder's address up: the number of a `Named`."""
    return (hints >> _NAMED) & _NAMES


@njit(cache=True, nogil=True, inline="always")
def speech_of(hints):  # type: ignore[no-untyped-def]
    """What the first payload looks like: the number of a `Speech`."""
    return (hints >> _SPEECH) & _SPEECHES


@njit(cache=True, nogil=True, inline="always")
def began_at_resp(hints):  # type: ignore[no-untyped-def]
    """1 if the responder said the first word."""
    return (hints >> _RESP_FIRST) & 1
