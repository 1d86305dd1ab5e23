"""The hottest sensor of the processor, of those that the kernel names as the processor's."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

from dijkwacht_agent.system.kept_files import KeptFile

_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu", "soc_thermal", "bigcore")
_ZONES: Final = ("x86_pkg_temp", "cpu", "soc", "bigcore", "littlecore")
_MOST: Final = 8
_COLDEST, _HOTTEST = -40_000, 150_000


class CpuTemperature:
    """Looks once below ``sys`` which sensors there are."""

    def __init__(self, sys: Path) -> None:
        chips = _found(sys / "class/hwmon", "hwmon*", "name", _CHIPS, "temp*_input")
        zones = _found(sys / "class/thermal", "thermal_zone*", "type", _ZONES, "temp")
        self._sensors = [KeptFile(path) for path in islice(chips or zones, _MOST)]

    def close(self) -> None:
        """Let go of the sensors."""
        for sensor in self._sensors:
            sensor.close()

    def read(self) -> float | None:
        """Degrees Celsius; ``None`` without a sensor that says something possible."""
        said = [sensor.read().strip() for sensor in self._sensors]
        degrees = [
            int(text) for text in said if text.removeprefix(b"-").isdigit() and len(text) < 8
        ]
        possible = [value for value in degrees if _COLDEST <= value <= _HOTTEST]
        return max(possible) / 1000 if possible else None


def _found(
    folder: Path, devices: str, label: str, names: tuple[str, ...], sensors: str
) -> list[Path]:
    found: list[Path] = []
    for device in sorted(folder.glob(devices)):
        if KeptFile.once(device / label).decode("ascii", "replace").strip().startswith(names):
            found += sorted(device.glob(sensors))
    return found
