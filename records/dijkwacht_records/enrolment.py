"""What an agent and its collector say to each other when it joins with a code, and when it renews.

Both stretch the code's secret and derive the same three values: a name for it, by which the collector
finds it, a key by which the agent proves that it has the code, and one by which the collector does.
The agent's proof covers the certificate that it saw: whoever stands in between has another, cannot
make a proof of his own, and spends nothing by handing this one on. The collector's covers all that
it answers, the authority that the agent will trust among it: so the code pins the authority with all
its bits, and who does not know the code can stand in for nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Final, NamedTuple

import msgspec

PATH: Final = "/v1/enrol"
RENEWAL_PATH: Final = "/v1/renew"
SELF_PATH: Final = "/v1/self"
COLLECTOR_NAME: Final = "collector.dijkwacht.internal"
"""What every collector's certificate is for, whatever its address: agents ask for this one."""
MAX_REQUEST_BYTES: Final = 4096

_COST: Final = 1 << 14
_BLOCK: Final = 8
_MEMORY: Final = 128 * _COST * _BLOCK + (1 << 20)
_ID_BYTES: Final = 16
_KEY_BYTES: Final = 32

_Nonce = Annotated[bytes, msgspec.Meta(min_length=16, max_length=64)]


class CodeKeys(NamedTuple):
    """What a code's secret is stretched to: who has the ``id`` alone can prove nothing."""

    id: bytes
    agent: bytes
    collector: bytes


class Enrolment(msgspec.Struct, frozen=True):
    """What an agent sends to join: who it wants to be, its request for a certificate (PKCS #10, DER).

    ``seen`` is the SHA-256 of the collector's certificate as it came, empty over plain HTTP, where
    there is no certificate to be had either, and ``request`` is empty too.
    """

    id: bytes
    agent: str
    request: bytes
    nonce: _Nonce
    seen: bytes
    proof: bytes


class Enrolled(msgspec.Struct, frozen=True):
    """The answer: a `Grant` as bytes, which are read only after the ``proof`` over them."""

    grant: bytes
    proof: bytes


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What joining or renewing gives. Times are µs UTC by the collector's clock.

    ``certificate`` and ``authorities`` are PEM: the agent's own, and every one that it may trust.
    Over plain HTTP there is a ``token`` instead. The rest is as in `JoinReply`.
    """

    site: str
    agent: str
    clock: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    expires: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    certificate: str = ""
    authorities: str = ""
    token: str = ""
    order_key: bytes = b""
    contracts: tuple[int, ...] = (1,)
    others: int = 0


class RenewalRequest(msgspec.Struct, frozen=True):
    """A request for a certificate of the agent that asks, with a key of its own (PKCS #10, DER)."""

    request: bytes


class Self(msgspec.Struct, frozen=True):
    """The answer to `SELF_PATH`: who the asker is, and the collector's clock, µs UTC."""

    site: str
    agent: str
    clock: int


def stretch(secret: bytes) -> CodeKeys:
    """The keys of a code. Some 50 ms and 16 MiB: guesses are not cheap for whoever saw a proof."""
    made = hashlib.scrypt(
        secret,
        salt=b"dijkwacht join 2",  # the secret is random, and used once
        n=_COST,
        r=_BLOCK,
        p=1,
        maxmem=_MEMORY,
        dklen=_ID_BYTES + 2 * _KEY_BYTES,
    )
    agent = made[_ID_BYTES : _ID_BYTES + _KEY_BYTES]
    return CodeKeys(made[:_ID_BYTES], agent, made[_ID_BYTES + _KEY_BYTES :])


def agent_proof(keys: CodeKeys, asked: Enrolment) -> bytes:
    """What proves that ``asked`` comes from who has the code; its own ``proof`` is not looked at."""
    return _sealed(keys.agent, b"dijkwacht enrolment 2", *_said(asked))


def collector_proof(keys: CodeKeys, asked: Enrolment, grant: bytes) -> bytes:
    """What proves that ``grant`` is the answer to ``asked`` by who made the code."""
    return _sealed(keys.collector, b"dijkwacht grant 2", *_said(asked), grant)


def is_proof(given: bytes, right: bytes) -> bool:
    """Compare two proofs, in the same time wherever they differ."""
    return hmac.compare_digest(given, right)


def _said(asked: Enrolment) -> tuple[bytes, ...]:
    return asked.id, asked.agent.encode(), asked.request, asked.nonce, asked.seen


def _sealed(key: bytes, *parts: bytes) -> bytes:
    """Each part with its length in front: no two lists of parts are the same bytes."""
    return hmac.digest(key, b"".join(len(p).to_bytes(4, "big") + p for p in parts), "sha256")
