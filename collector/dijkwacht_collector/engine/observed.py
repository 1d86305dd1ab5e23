"""What an engine counts on its way, until telemetry takes it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Observed:
    """Counts by site, and of failures and scored rows by detector, since telemetry last took them."""

    rows: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    future: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    scored: dict[str, int] = field(default_factory=dict)
