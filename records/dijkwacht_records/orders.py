"""What a collector may ask of an agent: a closed set, as signed bytes that nobody encodes again.

A signature covers exactly the bytes that were sent, so an order is read only after it is known to be
genuine, and a field more in a later release breaks nothing: an agent that does not know it refuses
that order by name. Nothing here is ever renamed: agents stand in shops for years.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

OrderKind = Literal["evidence", "canary", "settings", "renew", "update", "diagnostics"]
"""Everything a collector may ever ask of an agent. The set is closed: there is no "run this"."""
ORDER_KINDS: Final[tuple[OrderKind, ...]] = get_args(OrderKind)
LONGEST_LIFE_US: Final = 7 * 24 * 3600 * 1_000_000
"""An order that would live longer is not carried out."""
MAX_BODY_BYTES: Final = 8 * 1024

Outcome = Literal["carried_out", "failed", "no_consent", "unsupported", "unknown_fields"]
"""How an order ended on its agent; each is final, and said until the collector has heard it."""

_PREFIX: Final = b"dijkwacht order 2\n"

OrderId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]{1,32}$")]


class SealedOrder(msgspec.Struct, frozen=True):
    """An order as it travels: ``body`` is an `Order` in JSON, ``signature`` Ed25519 over `signed_bytes`."""

    body: bytes
    signature: bytes

    @property
    def signed_bytes(self) -> bytes:
        """What the signature covers: these bytes, and that they are an order."""
        return _PREFIX + self.body


class OrderHead(msgspec.Struct, frozen=True):
    """What every release can read of an order: which, for whom, when. ``issued``, ``expires``: µs UTC."""

    id: OrderId
    kind: _Kind
    site: str
    agent: str
    issued: int
    expires: int


class Order(OrderHead, frozen=True, forbid_unknown_fields=True):
    """One thing the collector asks for; ``arguments`` are texts whose names depend on the kind."""

    arguments: dict[str, str] = {}


class OrderOutcome(msgspec.Struct, frozen=True):
    """What an agent answers to ``POST /v1/orders/{id}/outcome``; ``detail`` is a few words, or none."""

    outcome: Outcome
    detail: Annotated[str, msgspec.Meta(max_length=200)] = ""


def encode_order(order: Order) -> bytes:
    """The bytes that are signed and sent.

    >>> encode_order(Order("1", "renew", "bakery", "till", 1, 2))
    b'{"id":"1","kind":"renew","site":"bakery","agent":"till","issued":1,"expires":2,"arguments":{}}'
    """
    return msgspec.json.encode(order, order="deterministic")
