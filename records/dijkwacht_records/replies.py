"""What the collector answers: a reply to a batch, which may carry orders, or a refusal."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from dijkwacht_records.orders import SealedOrder
from dijkwacht_records.pairing import Pairing

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Reply(msgspec.Struct, frozen=True):
    """The answer to an accepted batch: it is durable. ``clock`` is the collector's, µs UTC.

    ``contracts``: the versions it reads; the first collectors did not say, and read 1. ``sealed``:
    orders for the agent that have no outcome yet. What the first release called ``orders`` is not read.
    """

    seq: int
    duplicate: bool
    clock: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    contracts: tuple[int, ...] = (1,)
    sealed: list[SealedOrder] = []


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to what was not taken: a sentence, and ``reason`` from a closed set.

    To an agent it is one of the error tree; docs/reference/errors.md lists the others too.
    ``contracts``: the versions that are read, said to whoever sent another.
    """

    reason: str
    message: str
    contracts: tuple[int, ...] = ()


class JoinRequest(msgspec.Struct, frozen=True):
    """What an agent sends to join: the code its owner typed, and the name it goes by."""

    code: str
    agent: str = ""


class JoinReply(msgspec.Struct, frozen=True):
    """What joining gives: the site, the token for every later request, the key that signs orders.

    ``order_key`` is the collector's raw Ed25519 public key, 32 bytes; ``contracts`` as in `Reply`;
    ``others``: agents that the site has besides.
    """

    site: str
    token: str
    order_key: bytes
    contracts: tuple[int, ...] = (1,)
    others: int = 0


def encode_reply(reply: Reply | Refusal | JoinReply | Pairing) -> bytes:
    """JSON, for logs and curl; replies are small."""
    return msgspec.json.encode(reply)


def decode_reply(body: bytes) -> Reply:
    """Raises ``msgspec.MsgspecError`` for anything that is no reply."""
    return decode_json(body, Reply)


def decode_json(body: bytes, kind: type[_Struct]) -> _Struct:
    """Read JSON that anybody may have sent. Raises ``msgspec.MsgspecError`` and nothing else.

    >>> decode_json(b'{"reason":"busy","message":"full"}', Refusal).reason
    'busy'
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"not JSON: {type(error).__name__}") from None
