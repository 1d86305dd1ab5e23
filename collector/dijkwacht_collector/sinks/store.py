"""Incidents and stories in SQLite, each as it stands now: what the console and the API read."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.database import connect, unusable
from dijkwacht_collector.incidents import (
    Activity,
    Event,
    Exempted,
    Incident,
    IncidentEvent,
    Story,
    StoryEvent,
    StorySeen,
    Trial,
    unreported,
)
from dijkwacht_collector.journal import FencedOff, partition_of
from dijkwacht_collector.sinks.normal_queries import MOST_SEEN, select_exempted, select_trial
from dijkwacht_collector.sinks.store_reader import REMEDY

_MIGRATIONS: Final = (
    """
    CREATE TABLE incidents (
        uid TEXT PRIMARY KEY, revision INTEGER NOT NULL, site TEXT NOT NULL, kind TEXT NOT NULL,
        status TEXT NOT NULL, severity INTEGER NOT NULL, start INTEGER NOT NULL,
        finish INTEGER NOT NULL, position INTEGER NOT NULL, activity TEXT NOT NULL,
        body BLOB NOT NULL) STRICT;
    CREATE INDEX incidents_open ON incidents (finish) WHERE status = 'new';
    CREATE INDEX incidents_of_site ON incidents (site, finish);
    """,
    """
    CREATE TABLE identity (id TEXT NOT NULL) STRICT;
    INSERT INTO identity VALUES (lower(hex(randomblob(16))));
    """,
    """
    CREATE TABLE owners (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
    CREATE TABLE noted (mark INTEGER NOT NULL) STRICT;
    INSERT INTO noted VALUES (0);
    """,
    """
    CREATE TABLE exemptions (
        site TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (site, id)) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE incidents ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
    UPDATE incidents SET told = CAST(strftime('%s', 'now') AS INTEGER) * 1000000;
    CREATE INDEX incidents_over ON incidents (max(finish, told)) WHERE status <> 'new';
    """,
    """
    CREATE TABLE stories (
        uid TEXT PRIMARY KEY, revision INTEGER NOT NULL, site TEXT NOT NULL,
        status TEXT NOT NULL, finish INTEGER NOT NULL, position INTEGER NOT NULL,
        activity TEXT NOT NULL, body BLOB NOT NULL, told INTEGER NOT NULL,
        calls INTEGER NOT NULL) STRICT;
    CREATE INDEX stories_open ON stories (calls > 0, finish) WHERE status = 'new';
    CREATE INDEX stories_of_site ON stories (site, calls > 0, finish);
    CREATE INDEX stories_over ON stories (max(finish, told)) WHERE status <> 'new';
    ALTER TABLE incidents ADD COLUMN story TEXT NOT NULL DEFAULT '';
    CREATE INDEX incidents_of_story ON incidents (story) WHERE story <> '';
    """,
)
_OWN: Final = """
    INSERT INTO owners VALUES (?, ?)
    ON CONFLICT (partition) DO UPDATE SET epoch = max(epoch, excluded.epoch) RETURNING epoch
"""
_OWNER: Final = "SELECT epoch FROM owners WHERE partition = ?"
_MOST_PAGES: Final = 16_384
"""Pages, 64 MB, that the write-ahead log may have before a commit moves them; `flush` does so long before."""
_Step = tuple[Activity, bytes, int]
_LATEST: Final = "ORDER BY finish DESC, uid LIMIT ?"
_TRIM: Final = tuple(
    f"""
    DELETE FROM {table} WHERE uid IN (
        SELECT uid FROM {table} WHERE status <> 'new' AND max(finish, told) < ? LIMIT ?)
    """  # noqa: S608  fixed texts only
    for table in ("incidents", "stories")
)
_UPSERT: Final = """
    INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (uid) DO UPDATE SET
        revision = excluded.revision, site = excluded.site, kind = excluded.kind,
        status = excluded.status, severity = excluded.severity, start = excluded.start,
        finish = excluded.finish, position = excluded.position, activity = excluded.activity,
        body = excluded.body, told = excluded.told, story = excluded.story
    WHERE excluded.revision > incidents.revision
"""
_UPSERT_STORY: Final = """
    INSERT INTO stories VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (uid) DO UPDATE SET
        revision = excluded.revision, status = excluded.status, finish = excluded.finish,
        position = excluded.position, activity = excluded.activity, body = excluded.body,
        told = excluded.told, calls = excluded.calls
    WHERE excluded.revision > stories.revision
"""


class IncidentStore:
    """The tables of incidents and stories in the file ``path``. The constructor is inert; any thread may read.

    ``identity`` is drawn when the file is made: a checkpoint that names another is of incidents that
    this store never took. ``clock`` says when something was told, µs UTC.
    """

    def __init__(self, path: Path, clock: Callable[[], int] = lambda: 0) -> None:
        self.identity = ""
        self.is_new = False
        self._path, self._clock = path, clock
        self._turn = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._mover: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, making or upgrading it. Raises `DijkwachtError`, ``OSError``."""
        self.is_new = not self._path.exists()
        self._database = connect(self._path, _MIGRATIONS, REMEDY)
        self._mover = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        with self._readable():
            self._database.execute(f"PRAGMA wal_autocheckpoint = {_MOST_PAGES}")
            [(self.identity,)] = self._database.execute("SELECT id FROM identity").fetchall()

    def handle(self, events: Sequence[Event]) -> None:
        """Keep the latest revision of each incident and story."""
        if not events:
            return
        now = self._clock()
        last = {event.uid: event for event in sorted(events, key=attrgetter("revision"))}.values()
        incidents = [_row(event, now) for event in last if isinstance(event, IncidentEvent)]
        stories = [_story_row(event, now) for event in last if isinstance(event, StoryEvent)]
        with _as_os_error(), self._turn, self._opened() as database:
            database.executemany(_UPSERT, incidents)
            database.executemany(_UPSERT_STORY, stories)

    def trim(self, before: int, most: int = 1000) -> int:
        """Let ``most`` incidents, and stories, go that are not open, and ended and were last told before this time.

        How many did. µs UTC. Times of an old recording are old: what was told lately stays. Raises ``OSError``.
        """
        with _as_os_error(), self._turn, self._opened() as database:
            return sum(database.execute(trim, (before, most)).rowcount for trim in _TRIM)

    def repeatable(self) -> list[Incident | Story]:
        """Those that an engine may say again: all that are open, and the last that ended."""
        return [
            *self.incidents(only_open=True, limit=10**6), *self.incidents(),
            *self.stories(only_open=True, limit=10**6), *self.stories(),
        ]  # fmt: skip

    @property
    def mark(self) -> int:
        """What `note` was given last; 0 if nothing."""
        with self._readable(), self._turn:
            [(mark,)] = self._opened().execute("SELECT mark FROM noted").fetchall()
            return int(mark)

    def note(self, mark: int) -> None:
        """Keep ``mark``, if it is the highest: an older copy of the file does not have it. Raises ``OSError``."""
        with _as_os_error(), self._turn, self._opened() as database:
            database.execute("UPDATE noted SET mark = max(mark, ?)", (mark,))

    @property
    def epoch(self) -> int:
        """The highest that `fence` was asked with; 0 if it was not."""
        with self._readable(), self._turn:
            [(epoch,)] = self._opened().execute("SELECT max(epoch) FROM owners").fetchall()
            return epoch or 0

    def fence(self, partitions: Collection[int], epoch: int) -> None:
        """Take from now on only what owners of this ``epoch`` or later say of ``partitions``.

        Raises `FencedOff` if there was a later one, ``OSError``.
        """
        with _as_os_error(), self._turn, self._opened() as database:
            for partition in partitions:
                # Nearly always it is the owner's already; to read that takes no transaction.
                found = database.execute(_OWNER, (partition,)).fetchone() or (-1,)
                if found[0] < epoch:
                    found = database.execute(_OWN, (partition, epoch)).fetchone()
                if found[0] > epoch:
                    raise FencedOff(
                        f"partition {partition}: epoch {epoch} has ended, {found[0]} is its owner's"
                    )

    def show_exemptions(self, exempted: Mapping[str, Sequence[Exempted]], epoch: int = 0) -> None:
        """What each of these sites calls normal now, and nothing else.

        Raises `FencedOff` if one has a later owner than that of ``epoch``, ``OSError``.
        """
        if epoch:
            self.fence({partition_of(site) for site in exempted}, epoch)
        rows = [
            (site, row.id, msgspec.msgpack.encode(row))
            for site, of_site in exempted.items()
            for row in of_site
            if row.until
        ]
        with _as_os_error(), self._turn, self._opened() as database:
            database.executemany("DELETE FROM exemptions WHERE site = ?", [(s,) for s in exempted])
            database.executemany("INSERT INTO exemptions VALUES (?, ?, ?)", rows)

    def exemptions(self, site: str, now: int) -> list[Exempted]:
        """What a site calls normal at ``now``, µs UTC; what was said last comes first."""
        with self._readable(), self._turn:
            return select_exempted(self._opened(), site, now)

    def exemption_of(self, incident: Incident, now: int) -> Exempted | None:
        """What keeps the like of ``incident`` unreported at ``now``, µs UTC, if anything does."""
        return unreported(self.exemptions(incident.site, now), incident)

    def try_normal(self, uid: str, now: int) -> Trial | None:
        """What "this is normal", said of this incident or story, would have kept silent; None if there is none."""
        with self._readable(), self._turn:
            return select_trial(self._opened(), uid, now)

    def flush(self) -> None:
        """Sync the write-ahead log, and move of it into the file what nobody reads.

        SQLite's own does nothing while another process reads. By a connection of its own nobody who writes waits.
        """
        assert self._mover is not None, "not open"
        with _as_os_error():
            self._mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        log = os.open(f"{self._path}-wal", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(log) as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            for database in filter(None, (self._mover, self._database)):
                database.close()
            self._mover = self._database = None

    def events(
        self, site: str | None = None, *, only_open: bool = False, limit: int = 1000
    ) -> list[IncidentEvent]:
        """The last step of each incident, latest first; a ``limit`` of -1 is none.

        Raises `DijkwachtError` for a file that is damaged, as all that read do.
        """
        rows = self._latest("incidents", site, only_open=only_open, limit=limit)
        with self._readable():
            return [_event(*row) for row in rows]

    def story_events(
        self, site: str | None = None, *, only_open: bool = False, limit: int = 1000
    ) -> list[StoryEvent]:
        """The last step of each story, as `events`."""
        rows = self._latest("stories", site, only_open=only_open, limit=limit)
        with self._readable():
            return [_story_event(*row) for row in rows]

    def incidents(
        self, site: str | None = None, *, only_open: bool = False, limit: int = 1000
    ) -> list[Incident]:
        """The incidents themselves, latest first."""
        return [event.incident for event in self.events(site, only_open=only_open, limit=limit)]

    def stories(
        self,
        site: str | None = None,
        *,
        only_open: bool = False,
        limit: int = 1000,
        since: int | None = None,
        called: bool | None = None,
    ) -> list[Story]:
        """The stories themselves that went on after ``since``, µs UTC of event time, latest first.

        ``called``: those alone that interrupted, or that did not.
        """
        asked = {"finish > ?": since, "(calls > 0) = ?": called}
        rows = self._latest("stories", site, only_open=only_open, limit=limit, asked=asked)
        with self._readable():
            return [_story_event(*row).story for row in rows]

    def sites(self) -> list[str]:
        """Those of which there are incidents or stories."""
        query = "SELECT site FROM incidents UNION SELECT site FROM stories"
        with self._readable(), self._turn:
            return [site for (site,) in self._opened().execute(query).fetchall()]

    def incident(self, uid: str) -> Incident | None:
        """One incident, or ``None``."""
        with self._readable():
            row = self._one("incidents", uid)
            return _event(*row).incident if row else None

    def story(self, uid: str) -> Story | None:
        """One story, or ``None``."""
        with self._readable():
            row = self._one("stories", uid)
            return _story_event(*row).story if row else None

    def seen(self, uid: str) -> Incident | StorySeen | None:
        """The incident or story, with its findings, as whoever answers it sees it; None if there is none."""
        incident = self.incident(uid)
        story = self.story(uid) if incident is None else None
        if story is None:
            return incident
        return StorySeen(story, tuple(self.findings(uid, MOST_SEEN)))

    def named(self, uids: Sequence[str]) -> list[Incident]:
        """The incidents of these uids, of which there are any."""
        asked = ", ".join("?" * len(uids))
        query = f"SELECT activity, body, position FROM incidents WHERE uid IN ({asked})"  # noqa: S608  places only
        with self._readable():
            with self._turn:
                rows = self._opened().execute(query, uids).fetchall()
            return [_event(*row).incident for row in rows]

    def findings(self, story: str, limit: int = 1000) -> list[Incident]:
        """Those of the story of this uid, the first first."""
        query = (
            "SELECT activity, body, position FROM incidents"
            " WHERE story = ? AND story <> '' ORDER BY start, uid LIMIT ?"
        )
        with self._readable():
            with self._turn:
                rows = self._opened().execute(query, (story, limit)).fetchall()
            return [_event(*row).incident for row in rows]

    def _one(self, table: str, uid: str) -> _Step | None:
        query = f"SELECT activity, body, position FROM {table} WHERE uid = ?"  # noqa: S608  a fixed text
        with self._turn:
            step: _Step | None = self._opened().execute(query, (uid,)).fetchone()
        return step

    def _latest(
        self,
        table: str,
        site: str | None,
        *,
        only_open: bool,
        limit: int,
        asked: Mapping[str, int | None] | None = None,
    ) -> list[_Step]:
        """The last steps of what there is in ``table``, latest first; ``asked``: SQL terms → what each asks for."""
        terms: dict[str, str | int | None] = {"site = ?": site, **(asked or {})}
        given = {term: value for term, value in terms.items() if value is not None}
        where = " AND ".join([*given, "status = 'new'" if only_open else "1"])
        query = f"SELECT activity, body, position FROM {table} WHERE {where} {_LATEST}"  # noqa: S608  fixed texts
        with self._readable(), self._turn:
            return self._opened().execute(query, (*given.values(), limit)).fetchall()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
            raise unusable(self._path, error, REMEDY) from None

    def _opened(self) -> sqlite3.Connection:
        assert self._database is not None, "not open"
        return self._database


@contextmanager
def _as_os_error() -> Iterator[None]:
    """What callers of a sink expect of a disk that fails, whatever lies on it."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"incidents: {error}") from error


def _row(event: IncidentEvent, now: int) -> tuple[object, ...]:
    one = event.incident
    return (
        one.uid, one.revision, one.site, one.kind, one.status, one.severity_id, one.start, one.end,
        event.position, event.activity, msgspec.msgpack.encode(one), now, one.story,
    )  # fmt: skip


def _story_row(event: StoryEvent, now: int) -> tuple[object, ...]:
    one = event.story
    return (
        one.uid, one.revision, one.site, one.status, one.end,
        event.position, event.activity, msgspec.msgpack.encode(one), now, len(one.calls),
    )  # fmt: skip


def _event(activity: Activity, body: bytes, position: int) -> IncidentEvent:
    return IncidentEvent(activity, msgspec.msgpack.decode(body, type=Incident), position)


def _story_event(activity: Activity, body: bytes, position: int) -> StoryEvent:
    return StoryEvent(activity, msgspec.msgpack.decode(body, type=Story), position)
