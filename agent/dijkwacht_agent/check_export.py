"""Does the router tell of its connections, and all of them? One finding a thing that may be wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dijkwacht_agent.observed import exports, observe
from dijkwacht_agent.settings import Settings
from dijkwacht_records.errors import CaptureError, SettingsError

CLOCK_OFF_US: Final = 10_000_000
Found = tuple[str, bool, dict[str, Any]]
"""Key, whether it is well, and what fills the sentence."""


def export_findings(settings: Settings, counters: Mapping[str, int]) -> Iterator[Found]:
    """What ``counters`` (of `ExportMeter`, without ``export_``) say."""
    endpoint, hold = settings.flow_export, settings.flow_export_hold_s
    records, strangers = counters["records"], counters["strangers"]
    if not records and counters["refused"]:
        yield "export_unreadable", False, {"endpoint": endpoint, "refused": counters["refused"]}
    elif not records and strangers:
        yield "export_unheard", False, {"strangers": strangers}
    elif not records and not counters["unread"]:
        yield "export_none", False, {"endpoint": endpoint}
    elif records:
        yield "export_arrives", True, {"records": records, "exporters": counters["exporters"]}
    if counters["unread"]:
        yield "export_templates", not counters["unread"] > records, {"unread": counters["unread"]}
    if abs(counters["clock_off"]) > CLOCK_OFF_US:
        yield "export_clock", False, {"offset": abs(counters["clock_off"]) / 1e6}
    elif counters["late"] > hold * 1e6:
        yield "export_late", False, {"late": counters["late"] / 1e6, "hold": hold}
    if counters["sampling"] > 1:
        yield "export_sampled", False, {"sampling": counters["sampling"]}
    if lost := counters["missing"] + counters["shed"]:
        yield "export_lost", lost * 1000 < records, {"lost": lost}


def listen_for_export(settings: Settings, seconds: float) -> Iterator[Found]:
    """The same, from listening for ``seconds``."""
    try:
        observed = observe(settings)
    except (CaptureError, SettingsError) as error:
        yield "export_fails", False, {"why": error}
        return
    end = time.monotonic() + seconds
    with contextlib.closing(observed.source.source):
        for block in observed.source.blocks():
            observed.meter.feed(block)
            if time.monotonic() > end:
                break
    yield from export_findings(settings, exports(observed.meter.counters))
