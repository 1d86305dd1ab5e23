"""Find detectors: every module of this package beside the contract, or those of files of one's own. No registration."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, cast

from dijkwacht_detectors.api import AnyDetector, Detector
from dijkwacht_detectors.declaration import faults
from dijkwacht_records.errors import SettingsError

OWN: Final = "dijkwacht_own"
"""The package that files of one's own are loaded into: ``json.py`` there hides nobody else's."""
_CONTRACT: Final = {
    "api", "checks", "context_api", "declaration", "discover", "harness", "reading", "samples",
}  # fmt: skip
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

    Raises `SettingsError`, in one line, if it cannot be loaded, holds none, or one whose declaration
    does not fit the tables.
    """
    try:
        detectors = _in_module(_load(path))
        for detector in detectors:
            _refuse_faults(str(path), detector)
    except SettingsError:
        raise
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""  # none where it is no text
        raise SettingsError(f"{path}: {where}{error.msg}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody's code may fail in any way while it loads
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise SettingsError(f"{path}: cannot be loaded: {why}") from None
    if not detectors:
        raise SettingsError(f"{path}: holds no class that is a detector")
    return detectors


def own_detectors(paths: Sequence[Path]) -> list[tuple[Path, AnyDetector]]:
    """New instances of the detectors in files and folders, each with its file, in their order.

    Of a folder the ``.py`` files in it are taken, by name, but for those that begin with ``_``.
    Raises `SettingsError` as `load_detectors` does, and for a name that is taken.
    """
    named = {file.resolve(): file for path in paths for file in _files(path)}  # each file once
    taken = {detector.name: "shipped" for detector in shipped_detectors()} if named else {}
    stems: dict[str, Path] = {}
    found: list[tuple[Path, AnyDetector]] = []
    for file in named.values():
        if (other := stems.setdefault(file.stem, file)) != file:
            raise SettingsError(f"{file}: {other} is called the same; rename one of the files")
        for detector in load_detectors(file):
            where = taken.setdefault(detector.name, str(file))
            if where == "shipped":
                raise SettingsError(f"{file}: a detector named {detector.name} is shipped already")
            if any(detector.name == one.name for _, one in found):
                raise SettingsError(f"{file}: {where} has a detector named {detector.name}, too")
            found.append((file, detector))
    return found


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    inside = sorted(file for file in path.glob("*.py") if not file.name.startswith("_"))
    if not inside:
        raise SettingsError(f"{path}: holds no Python file that could be a detector")
    yield from inside


def _load(path: Path) -> ModuleType:
    if not path.exists():
        raise SettingsError(f"{path}: no such file")
    name = f"{OWN}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise SettingsError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # So that what it defines can be pickled, which looks for the package first.
    sys.modules.setdefault(OWN, ModuleType(OWN))
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


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
