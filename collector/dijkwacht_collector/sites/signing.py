"""The collector's own key: orders carry its signature, agents learn its public half on joining."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dijkwacht_collector.journal import replace_file
from dijkwacht_records.orders import Order, SealedOrder, encode_order


class OrderKey:
    """The Ed25519 key in file ``path``: 32 raw bytes, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: Ed25519PrivateKey | None = None

    def open(self) -> None:
        """Read the key, or make it at first start. Raises ``OSError``, ``ValueError``."""
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(self._path.read_bytes())
        except FileNotFoundError:
            self._key = Ed25519PrivateKey.generate()
            replace_file(self._path, self._key.private_bytes_raw())

    def close(self) -> None:
        """Forget the key."""
        self._key = None

    @property
    def public(self) -> bytes:
        """The public half, 32 raw bytes."""
        return self._opened().public_key().public_bytes_raw()

    def seal(self, order: Order) -> SealedOrder:
        """``order`` as bytes, with the signature over them."""
        bare = SealedOrder(encode_order(order), b"")
        return SealedOrder(bare.body, self._opened().sign(bare.signed_bytes))

    def _opened(self) -> Ed25519PrivateKey:
        assert self._key is not None, "not open"
        return self._key
