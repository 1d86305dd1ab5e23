"""``flows.hints``: a few yes-or-no facts of a flow's first packets, packed into one number.

Each field holds a class from a closed list; 0 is "not seen". What became known with a part stands in
that part, nearly all of it in part 0.

>>> hints = WINDOW.put(SynWindow.SCANNER) | NAMED.put(Named.NOBODY)
>>> Named(NAMED.get(hints)), SynOptions(OPTIONS.get(hints))
(<Named.NOBODY: 3>, <SynOptions.UNSEEN: 0>)
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Field(NamedTuple):
    """Bits ``shift`` … ``shift + width - 1``. ``get`` takes numbers and arrays of them alike."""

    shift: int
    width: int

    def put(self, value: int) -> int:
        """``value`` in its place."""
        return int(value) << self.shift

    def get(self, hints: int) -> int:
        """The field's value."""
        return (hints >> self.shift) & ((1 << self.width) - 1)


class SynOptions(IntEnum):
    """Bytes of TCP options in the originator's SYN: systems send 8 and more, raw sockets few or none."""

    UNSEEN = 0
    NONE = 1
    FOUR = 2  # a maximum segment size alone
    EIGHT = 3
    TWELVE = 4
    SIXTEEN = 5
    TWENTY = 6
    MORE = 7


class SynWindow(IntEnum):
    """Window in the originator's SYN."""

    ZERO = 0  # or no SYN was seen
    SCANNER = 1  # 1024, 2048, 3072 or 4096: what scanners put there
    SMALL = 2  # any other below 8,192
    LARGE = 3


class Named(IntEnum):
    """Whether DNS had named the responder's address before the flow began.

    Within a day. `NOBODY` only if DNS was seen to answer the originator within a day, or if one machine
    is seen to ask for all the others, and never if the originator asks over TLS (port 853): else unknown.
    What multicast answers (mDNS, LLMNR) name inside the site is named to everyone. Groups have no name.
    """

    UNKNOWN = 0
    BY_ORIG = 1  # in an answer to the originator
    BY_OTHER = 2  # in an answer to another machine of the site
    NOBODY = 3  # the originator's DNS is seen, and this address was in no answer


class CalledBack(IntEnum):
    """Whether the originator had just been commanded: an executing call of ``rpc`` within a minute."""

    NO = 0
    COMMANDED = 1  # by another machine than the one it calls now
    COMMANDER = 2  # by the one that it calls now


class Speech(IntEnum):
    """What a flow's first payload looks like, whichever side sent it and on whatever port."""

    NOTHING = 0
    TLS = 1
    HTTP = 2
    SSH = 3
    SMB = 4
    RPC = 5
    RDP = 6
    TEXT = 7
    BYTES = 8
    QUIC = 9
    KERBEROS = 10
    LDAP = 11


OPTIONS: Final = Field(0, 3)
WINDOW: Final = Field(3, 2)
SEQ_IS_DST: Final = Field(5, 1)
"""The SYN's sequence number is the address it is sent to, as Mirai's scanner and its kin do."""
NAMED: Final = Field(6, 2)
CALLED_BACK: Final = Field(8, 2)
SPEECH: Final = Field(10, 4)
RESP_FIRST: Final = Field(14, 1)
"""The first payload came from the responder."""

FIELDS: Final = {
    "options": (OPTIONS, SynOptions),
    "window": (WINDOW, SynWindow),
    "seq_is_dst": (SEQ_IS_DST, bool),
    "named": (NAMED, Named),
    "called_back": (CALLED_BACK, CalledBack),
    "speech": (SPEECH, Speech),
    "resp_first": (RESP_FIRST, bool),
}
"""All fields by name, and what their values are."""
