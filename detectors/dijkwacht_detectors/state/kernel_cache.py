"""Where compiled kernels are kept, and by what they are known again: by all sources that are compiled in.

numba knows a kernel again by the text of its own file. What it calls from other files, and the constants that
it takes from there, are compiled into it; after a change of those alone, as an upgrade brings, the old machine
code would go on running, over arrays that may be laid out anew. So the texts of all modules that a file imports,
of these packages and beside it, count as its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Final

from numba.core import caching

_IMPORTS: Final = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+([\w.]+)(?:[ \t]+import[ \t]*(\([^)]*\)|.*))?", re.MULTILINE
)
"""A module, and the names that are imported from it, which may be modules."""
_PACKAGES: Final = Path(__file__).parents[1].name.split("_", maxsplit=1)[0] + "_"


class _WithCallees:
    """Of a locator: a file has changed when anything that is compiled in has."""

    _py_file: str

    def get_source_stamp(self) -> bytes:
        """A hash of the file, and of all that it imports."""
        return _stamp(Path(self._py_file))


class Chosen(_WithCallees, caching.UserProvidedCacheLocator):
    """Kernels are kept where ``NUMBA_CACHE_DIR`` says."""


class BesideSources(_WithCallees, caching.InTreeCacheLocator):
    """Kernels are kept in the sources' ``__pycache__``."""


class OfUser(_WithCallees, caching.UserWideCacheLocator):
    """Kernels are kept in the user's cache, where sources may not be written."""


@cache
def _stamp(path: Path) -> bytes:
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _imported(one)
    texts = hashlib.sha256()
    for one in sorted(found):
        texts.update(hashlib.sha256(one.read_bytes()).digest())
    return texts.digest()


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Files of the modules that the one at ``path`` imports, as far as they are ours or lie beside it."""
    files = set()
    for module, names in _IMPORTS.findall(path.read_text("utf-8", "replace")):
        parts = module.split(".")
        for name in ("", *re.findall(r"\w+", names)):
            files |= _file_of([*parts, name] if name else parts, path.parent)
    return frozenset(files)


def _file_of(parts: list[str], beside: Path) -> set[Path]:
    roots = [beside]
    if parts[0].startswith(_PACKAGES):
        roots = _roots(parts[0])
    stem = [root.joinpath(*parts) for root in roots]
    return {
        file
        for at in stem
        for file in (at.with_name(f"{at.name}.py"), at / "__init__.py")
        if file.is_file()
    }


@cache
def _roots(package: str) -> list[Path]:
    """Folders in which ``package`` is looked for: one, but in a tree of sources."""
    spec = importlib.util.find_spec(package)
    places = (spec and spec.submodule_search_locations) or []
    return [Path(place).parent for place in places]
