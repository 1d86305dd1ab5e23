"""Find detectors: every module of this package beside the contract, or those of one file. No registration."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Final, cast

from dijkwacht_detectors.api import AnyDetector, Detector
from dijkwacht_detectors.declaration import faults
from dijkwacht_records.errors import SettingsError

_CONTRACT: Final = {"api", "checks", "declaration", "discover"}
"""Not even imported to be looked at: `checks` brings doctest and unittest.mock, which no collector needs."""


def shipped_detectors() -> list[AnyDetector]:
    """One new instance of each detector of this package, ordered by name.

    Raises `SettingsError` for one whose declaration does not fit the tables.
    """
    package = importlib.import_module("dijkwacht_detectors")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if not found.ispkg and found.name not in _CONTRACT
    ]
    detectors = [detector for module in modules for detector in _in_module(module)]
    for detector in detectors:
        _refuse_faults(type(detector).__module__, detector)
    return sorted(detectors, key=lambda d: d.name)


def load_detectors(path: Path) -> list[AnyDetector]:
    """New instances of the detectors in one file.

    Raises `SettingsError` if it holds none, or one whose declaration does not fit the tables.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise SettingsError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # so that what it defines can be pickled
    spec.loader.exec_module(module)
    detectors = _in_module(module)
    if not detectors:
        raise SettingsError(f"{path}: holds no class that is a detector")
    for detector in detectors:
        _refuse_faults(str(path), detector)
    return detectors


def _refuse_faults(where: str, detector: AnyDetector) -> None:
    for fault in faults(detector):
        raise SettingsError(f"{where}: {type(detector).__name__}: {fault}")


def _in_module(module: ModuleType) -> list[AnyDetector]:
    return [
        cast("AnyDetector", cls())
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Detector)
        and cls.__module__ == module.__name__
        and not inspect.isabstract(cls)
    ]
