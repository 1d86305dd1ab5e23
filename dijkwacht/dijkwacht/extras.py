"""How what a command needs beyond the bare product is installed, as this installation was made."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

_PRODUCT: Final = "dijkwacht"


class _Folder(msgspec.Struct):
    editable: bool = False


class _Origin(msgspec.Struct):
    """``direct_url.json`` of the packaging specifications, as far as we look."""

    url: str = ""
    dir_info: _Folder = msgspec.field(default_factory=_Folder)


def install_command(extra: str) -> str:
    """The pip line that adds ``extra``; in an editable checkout, to that checkout."""
    folder = _checkout()
    if folder:
        return f"pip install -e '{folder}[{extra}]'"
    return f"pip install '{_PRODUCT}[{extra}]'"


def _checkout() -> str:
    try:
        text = distribution(_PRODUCT).read_text("direct_url.json")
        origin = msgspec.json.decode(text or "{}", type=_Origin)
    except (PackageNotFoundError, OSError, msgspec.MsgspecError):
        return ""
    return unquote(urlsplit(origin.url).path) if origin.dir_info.editable else ""
