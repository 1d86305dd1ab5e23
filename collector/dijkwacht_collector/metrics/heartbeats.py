"""The last heartbeat of each agent, as series and as rows."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from dijkwacht_collector.metrics.family import Family
from dijkwacht_records.tables import Value
from dijkwacht_records.troubles import DISK_FULL

DROPS: Final = ("ring", "truncated", "malformed", "unsupported")
SERIES_PER_AGENT: Final = 13 + len(DROPS)
LATE_AFTER_S: Final = 60
OFFLINE_AFTER_S: Final = 300
Presence = Literal["up", "late", "offline"]

_AGENT: Final = ("site", "agent")


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """An agent's last heartbeat. ``last_seen`` is the collector's clock, µs UTC.

    Counts are since its boot; those of rows are of all its boots, as far as the journal tells.
    ``clock_offset`` is µs, the collector's clock minus the agent's. ``heard`` is False of
    an agent that has sent no heartbeat since the collector's start: its counts are not known.
    ``disk_full``: it said so beside its last batch, or in its last heartbeat. ``copies``: machines besides
    one that use its identity. ``standing``: as of `sites.agents`.
    """

    site: str
    agent: str
    last_seen: int
    packets_seen: int = 0
    dropped: int = 0
    flows_active: int = 0
    rows_made: int = 0
    rows_durable: int = 0
    rows_shed: int = 0
    rows_waiting: int = 0
    spool_bytes: int = 0
    clock_offset: int = 0
    heard: bool = True
    disk_full: bool = False
    standing: str = "live"
    copies: int = 0

    def presence(self, now: int) -> Presence:
        """Whether it is there at ``now``, µs UTC: the one judgement for pages and notices."""
        age_s = (now - self.last_seen) / 1e6
        if age_s > OFFLINE_AFTER_S:
            return "offline"
        return "late" if age_s > LATE_AFTER_S else "up"


class Heartbeats:
    """The health of all agents; of each site at most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self.most: Final = most
        self._lock = threading.Lock()
        self._names: dict[str, set[str]] = {}
        self._last: dict[tuple[str, str], AgentHealth] = {}
        self._last_seen = Family(
            "dijkwacht_agent_last_seen_timestamp_seconds", "gauge",
            "Arrival of the agent's last heartbeat.", _AGENT,
        )  # fmt: skip
        self._dropped = Family(
            "dijkwacht_agent_packets_dropped_total", "counter",
            "Packets not metered, by reason.", (*_AGENT, "reason"),
        )  # fmt: skip
        self._offset = Family(
            "dijkwacht_agent_clock_offset_seconds", "gauge",
            "The collector's clock minus the agent's.", _AGENT,
        )  # fmt: skip
        self._disk_full = Family(
            "dijkwacht_agent_disk_full", "gauge",
            "1 while the agent's disk is full: what does not fit is lost.", _AGENT,
        )  # fmt: skip
        self._full: set[tuple[str, str]] = set()
        self._said_full: set[tuple[str, str]] = set()
        self._plain = {
            "packets_seen": Family(
                "dijkwacht_agent_packets_total", "counter",
                "Packets seen: metered and dropped.", _AGENT,
            ),
            "flows_active": Family(
                "dijkwacht_agent_flows_active", "gauge",
                "Flows in the agent's table now.", _AGENT,
            ),
            "flows_evicted": Family(
                "dijkwacht_agent_flows_evicted_total", "counter",
                "Flows evicted from a full table.", _AGENT,
            ),
            "rows_made": Family(
                "dijkwacht_agent_rows_made_total", "counter",
                "Rows made by the agent, up to its last heartbeat.", _AGENT,
            ),
            "rows_shed": Family(
                "dijkwacht_agent_rows_shed_total", "counter",
                "Rows lost by the agent: spool full or batch rejected.", _AGENT,
            ),
            "messages_shed": Family(
                "dijkwacht_agent_messages_shed_total", "counter",
                "Messages of remote calls, log-ins and TLS left unread under load.", _AGENT,
            ),
            "flows_counted": Family(
                "dijkwacht_agent_flows_counted_total", "counter",
                "Flows that left as counted rows of floods.", _AGENT,
            ),
            "rows_waiting": Family(
                "dijkwacht_agent_rows_waiting", "gauge",
                "Rows on their way at the last heartbeat: made, and neither shed nor durable.", _AGENT,
            ),
            "spool_bytes": Family(
                "dijkwacht_agent_spool_bytes", "gauge",
                "Bytes in the agent's spool, not yet sent.", _AGENT,
            ),
            "copies": Family(
                "dijkwacht_agent_copies", "gauge",
                "Machines besides one that use the agent's identity, as copies of a disk do; 0 is well.", _AGENT,
            ),
        }  # fmt: skip
        """Families that show a column as it is."""

    def families(self) -> tuple[Family, ...]:
        """All of them, in the order they are shown."""
        return (
            self._last_seen,
            self._dropped,
            self._offset,
            self._disk_full,
            *self._plain.values(),
        )

    def know(self, site: str, agent: str, last_seen: int) -> None:
        """As `Telemetry.know_agent`."""
        if last_seen == 0:
            self.observe(site, agent, 0, {})
        elif self._admit(site, agent):
            self._last_seen.set(last_seen / 1e6, site, agent)

    def observe(self, site: str, agent: str, time_us: int, row: Mapping[str, Value]) -> bool:
        """As `Telemetry.observe_agent`; False if the site has too many agents already."""
        if not self._admit(site, agent):
            return False

        def number(column: str) -> int:
            value = row.get(column, 0)
            return value if isinstance(value, int) else 0

        drops = {reason: number(f"dropped_{reason}") for reason in DROPS}
        self._last_seen.set(time_us / 1e6, site, agent)
        self._offset.set(number("clock_offset") / 1e6, site, agent)
        for reason, count in drops.items():
            self._dropped.set(count, site, agent, reason)
        (self._said_full.add if number("disk_full") else self._said_full.discard)((site, agent))
        self._disk_full.set(int(self._is_full(site, agent)), site, agent)
        for column, family in self._plain.items():
            family.set(number(column), site, agent)
        if time_us:
            self._last[site, agent] = AgentHealth(
                site=site,
                agent=agent,
                last_seen=time_us,
                packets_seen=number("packets_seen"),
                dropped=sum(drops.values()),
                flows_active=number("flows_active"),
                rows_made=number("rows_made"),
                rows_durable=number("rows_durable"),
                rows_shed=number("rows_shed"),
                rows_waiting=number("rows_waiting"),
                spool_bytes=number("spool_bytes"),
                clock_offset=number("clock_offset"),
                disk_full=self._is_full(site, agent),
                copies=number("copies"),
            )
        return True

    def observe_troubles(self, site: str, agent: str, troubles: Collection[str]) -> None:
        """As `Telemetry.observe_troubles`."""
        name, full = (site, agent), DISK_FULL in troubles
        if full == (name in self._full) or not self._admit(site, agent):
            return
        (self._full.add if full else self._full.discard)(name)
        self._disk_full.set(int(self._is_full(*name)), site, agent)
        if health := self._last.get(name):
            self._last[name] = replace(health, disk_full=self._is_full(*name))

    def forget(self, site: str, agent: str) -> None:
        """As `Telemetry.forget_agent`."""
        with self._lock:
            names = self._names.get(site, set())
            if agent not in names:
                return
            names.remove(agent)
        self._last.pop((site, agent), None)
        for reason in DROPS:
            self._dropped.forget(site, agent, reason)
        self._full.discard((site, agent))
        self._said_full.discard((site, agent))
        for family in (self._last_seen, self._offset, self._disk_full, *self._plain.values()):
            family.forget(site, agent)

    def copied(self, now: int) -> dict[tuple[str, str], int]:
        """As `Telemetry.copied`."""
        found = {}
        for name, health in self._last.copy().items():
            if not health.copies:
                continue
            if health.presence(now) == "offline":  # both are, so neither uses it
                self._last[name] = replace(health, copies=0)
                self._plain["copies"].set(0, *name)
            else:
                found[name] = health.copies
        return found

    def last(self) -> list[AgentHealth]:
        """The last heartbeat of every agent since start, by site and name."""
        held = self._last.copy()
        return [held[key] for key in sorted(held)]

    def _is_full(self, site: str, agent: str) -> bool:
        return (site, agent) in self._full or (site, agent) in self._said_full

    def _admit(self, site: str, agent: str) -> bool:
        with self._lock:
            names = self._names.setdefault(site, set())
            if agent not in names and len(names) < self.most:
                names.add(agent)
            return agent in names
