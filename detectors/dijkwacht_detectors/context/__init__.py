"""What is usual at a site: one context a file, found by its name; no registration."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Collection
from functools import cache

from dijkwacht_detectors.context_api import Context


@cache
def shipped_contexts() -> tuple[Context, ...]:
    """One of each context of this package, ordered by name; what they remember is kept elsewhere."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    found = [
        cls()
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Context) and cls.__module__ == module.__name__
    ]
    return tuple(sorted(found, key=lambda context: context.name))


def contexts_for(columns: Collection[str]) -> list[Context]:
    """Those that compute any of ``columns``."""
    return [
        context for context in shipped_contexts() if not context.columns.keys().isdisjoint(columns)
    ]
