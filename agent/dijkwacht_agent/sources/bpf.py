"""A classic BPF program that lets every frame pass but the agent's own shipping.

An agent that meters what it ships would ship about it: a loop that feeds itself.
"""

from __future__ import annotations

import ctypes
from struct import pack
from typing import Final, NamedTuple

from dijkwacht_records.addresses import V4_PREFIX

_LD_WORD, _LD_HALF, _LD_BYTE = 0x20, 0x28, 0x30
_JEQ, _JSET, _RET = 0x15, 0x45, 0x06
_TCP: Final = 6


class _Step(NamedTuple):
    """One instruction; jumps name a label, empty means the next step."""

    code: int
    k: int
    yes: str = ""
    no: str = ""
    label: str = ""


def refusing(address: bytes, port: int, ip_at: int, snap: int) -> list[tuple[int, int, int, int]]:
    """Instructions that drop TCP from and to ``address`` (16 bytes) at ``port``.

    ``ip_at`` is where IP begins in a frame: 14 behind Ethernet, 0 on a raw interface. Everything else
    passes, cut to ``snap`` bytes.
    """
    if address[:12] == V4_PREFIX:
        steps = _ipv4(int.from_bytes(address[12:], "big"), port, ip_at)
    else:
        words = [int.from_bytes(address[at : at + 4], "big") for at in range(0, 16, 4)]
        steps = _ipv6(words, port, ip_at)
    return _assemble([*steps, _Step(_RET, snap, label="pass"), _Step(_RET, 0, label="drop")])


def passing(snap: int) -> list[tuple[int, int, int, int]]:
    """Instructions that let everything pass, cut to ``snap`` bytes."""
    return [(_RET, 0, 0, snap)]


def as_option(
    program: list[tuple[int, int, int, int]],
) -> tuple[bytes, ctypes.Array[ctypes.c_char]]:
    """The ``struct sock_fprog`` for ``SO_ATTACH_FILTER``, and the memory it points to: keep both."""
    code = b"".join(pack("HBBI", *step) for step in program)
    memory = ctypes.create_string_buffer(code, len(code))
    return pack("HP", len(program), ctypes.addressof(memory)), memory


def _ipv4(address: int, port: int, at: int) -> list[_Step]:
    return [
        _Step(_LD_BYTE, at),
        _Step(_JEQ, 0x45, no="pass"),  # an option-less header: that is how our own TCP looks
        _Step(_LD_BYTE, at + 9),
        _Step(_JEQ, _TCP, no="pass"),
        _Step(_LD_HALF, at + 6),
        _Step(_JSET, 0x1FFF, yes="pass"),
        _Step(_LD_WORD, at + 12),
        _Step(_JEQ, address, no="to"),
        _Step(_LD_HALF, at + 20),
        _Step(_JEQ, port, yes="drop"),
        _Step(_LD_WORD, at + 16, label="to"),
        _Step(_JEQ, address, no="pass"),
        _Step(_LD_HALF, at + 22),
        _Step(_JEQ, port, yes="drop", no="pass"),
    ]


def _ipv6(words: list[int], port: int, at: int) -> list[_Step]:
    steps = [
        _Step(_LD_HALF, at),
        _Step(_JSET, 0x9000, yes="pass"),  # version 6 has neither of these bits
        _Step(_LD_BYTE, at + 6),
        _Step(_JEQ, _TCP, no="pass"),
    ]
    for side, (addresses_at, port_at, otherwise) in enumerate(((8, 40, "to"), (24, 42, "pass"))):
        for place, word in enumerate(words):
            label = "to" if side and not place else ""
            steps.append(_Step(_LD_WORD, at + addresses_at + 4 * place, label=label))
            steps.append(_Step(_JEQ, word, no=otherwise))
        steps.append(_Step(_LD_HALF, at + port_at))
        steps.append(_Step(_JEQ, port, yes="drop", no="pass" if side else ""))
    return steps


def _assemble(steps: list[_Step]) -> list[tuple[int, int, int, int]]:
    places = {step.label: place for place, step in enumerate(steps) if step.label}

    def jump(label: str, place: int) -> int:
        return places[label] - place - 1 if label else 0

    return [
        (step.code, jump(step.yes, place), jump(step.no, place), step.k)
        for place, step in enumerate(steps)
    ]
