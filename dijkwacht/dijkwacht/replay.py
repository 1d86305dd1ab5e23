"""Find incidents in recordings: the same meter, journal, engine and policy as live.

Incidents come on standard output in their last state: as blocks of text on a terminal, below their
story, else as JSON lines (OCSF Detection Findings), one each; with ``--stories``, stories (Incident
Findings) instead. What is assumed, skipped and found on the way is printed on standard error. On
Ctrl-C the reading ends, and what was found until then is told.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from dijkwacht.blocks import tally
from dijkwacht.ctrl_c import CtrlC
from dijkwacht.offline import BATCH_ROWS, NumberedRow, OfflineCollector, cut
from dijkwacht.own_detectors import add_detectors
from dijkwacht.progress import clock_text, counted, report, report_problems
from dijkwacht.recording import PATHS, Recorded, add_local
from dijkwacht.score_watch import ScoreWatch
from dijkwacht.shadow import report_shadow
from dijkwacht.terminal import Screen, add_output, for_people, write_text
from dijkwacht_agent.arguments import speed
from dijkwacht_agent.privacy import KEY_BYTES, Pseudonyms
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.incidents import (
    Activity,
    Event,
    Incident,
    IncidentEvent,
    Story,
    StoryEvent,
    encode_finding,
    encode_story,
)
from dijkwacht_records.columns import Columns
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.pseudonyms import marked
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import NAME

LONGEST_WAIT_S: Final = 2.0
"""A pause in a recording is honoured up to here: some are stitched together over years."""
_DAY_US: Final = 86_400_000_000
_TIMES: Final = tuple(
    tuple(i for i, c in enumerate(table.columns) if c.unit == "µs UTC") for table in TABLES
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help=f"{PATHS}: one recording",
    )
    add(
        "--baseline",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="learn this first, without reporting incidents",
    )
    add("--site", default="replay", metavar="NAME", help="name of the site (default: replay)")
    add(
        "--speed",
        type=speed,
        default="max",
        metavar="max|N",
        help="N times as fast as it happened (default: max)",
    )
    add_local(parser)
    add_detectors(parser)
    add("--pseudonyms", action="store_true", help="hide inside addresses, as an agent does")
    add(
        "--batch-rows",
        type=int,
        default=BATCH_ROWS,
        metavar="N",
        help="rows of a batch; changes nothing",
    )
    add(
        "--stories",
        action="store_true",
        help="print stories, with the incidents that are in each, instead of incidents",
    )
    add_output(
        parser, "one incident, or story, a block", "; and nothing but errors on standard error"
    )


@dataclass(slots=True)
class RowPacing:
    """Waits until a row is due, ``speed`` times as fast as it happened; None never waits."""

    speed: float | None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    shortened: int = 0
    _last: int | None = None
    _due: float = 0.0

    def wait_for(self, row_time: int, before: Callable[[], None]) -> None:
        """Wait for ``row_time``, µs UTC; ``before`` is called first if there is anything to wait for."""
        if self.speed is None:
            return
        if self._last is None:
            self._last, self._due = row_time, self.clock()
        gap = max(0, row_time - self._last) / 1e6 / self.speed
        if gap > LONGEST_WAIT_S:
            gap = LONGEST_WAIT_S
            self.shortened += 1
        self._last = max(self._last, row_time)
        self._due += gap
        late = self._due - self.clock()
        if late > 0:
            before()
            self.sleep(late)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    if not NAME.fullmatch(args.site):
        raise SettingsError(
            f"--site {args.site}: lower-case letters, digits and hyphens, at most 63"
        )
    if args.batch_rows < 1:
        raise SettingsError(f"--batch-rows {args.batch_rows}: at least 1")
    ctrl_c = CtrlC()
    pacing = RowPacing(args.speed, ctrl_c.sleep)
    people, clear = for_people(args), not args.pseudonyms
    note = (lambda _: None) if args.json else report
    detectors = DetectorSet.with_own(args.detectors)
    watch = ScoreWatch(detectors, detectors.shadow())
    recorded = Recorded(args.paths, args.local)
    note(recorded.inside.describe())
    report_shadow(detectors)
    hide = _privacy(recorded, pseudonyms=args.pseudonyms)
    # People get the whole of an incident at the end; before that they hear of it only if that is long.
    announced = (lambda _: None) if people and args.speed is None else note
    with (
        ctrl_c,
        OfflineCollector(
            detectors=detectors, on_event=Announcer(announced, clear), watch=watch
        ) as collector,
    ):
        rows: Iterator[NumberedRow] = hide(recorded.rows())
        if args.baseline:
            rows = _learn_baseline(collector, args, rows, hide, note)
        rows = counted(ctrl_c.until(rows), lambda: _progress(collector))
        _play(collector, args.site, rows, args.batch_rows, pacing)
        collector.finish()
        stories, found = collector.outcome.final_stories(), collector.outcome.final()
        if people:
            _write_blocks(stories, found, only_stories=args.stories, clear=clear)
        elif args.stories:
            _write_lines(last_story(story, clear=clear) for story in stories)
        else:
            _write_lines(last_findings(stories, found, clear=clear))
        report_problems(recorded)
        if pacing.shortened:
            note(f"{pacing.shortened} pauses of the recording were cut to {LONGEST_WAIT_S:.0f} s")
        for name, heard in watch.heard.items():
            note(f"{name}: in shadow, {heard}")
        note(
            f"{tally(stories, found)} in {collector.rows:,} rows from {recorded.packets:,} packets"
        )
        ctrl_c.raise_if_came()
    return 0 if recorded.readable else 2


def _write_blocks(
    stories: Sequence[Story], incidents: Sequence[Incident], *, only_stories: bool, clear: bool
) -> None:
    # Only people need the console's words, and what they import.
    from dijkwacht.finding_blocks import finding_blocks, story_blocks  # noqa: PLC0415

    screen = Screen.of(sys.stdout)
    if only_stories:
        write_text(story_blocks(stories, screen, clear=clear))
    else:
        write_text(finding_blocks(stories, incidents, screen, clear=clear))


def _write_lines(lines: Iterable[bytes]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _progress(collector: OfflineCollector) -> str:
    outcome = collector.outcome
    found = len(outcome.incidents)
    return f"stories: {len(outcome.stories):,}; incidents: {found:,}; rows" if found else "rows"


def last_findings(
    stories: Iterable[Story], incidents: Iterable[Incident], *, clear: bool = True
) -> Iterator[bytes]:
    """`last_finding` of each, which says whether its story has interrupted by the end."""
    interrupted = {story.uid for story in stories if story.interrupted}
    for incident in incidents:
        told = replace(incident, interrupted=incident.story in interrupted)
        yield last_finding(told, clear=clear)


def last_finding(incident: Incident, *, clear: bool = True) -> bytes:
    """One line of JSON for an incident as it stands at the end; the same rows give the same bytes.

    ``clear``: of addresses that are no pseudonyms.
    """
    # The position in the journal depends on how rows were cut into batches: it is left out.
    return encode_finding(IncidentEvent(_last_activity(incident), incident, 0), clear=clear)


def last_story(story: Story, *, clear: bool = True) -> bytes:
    """The same for a story."""
    return encode_story(StoryEvent(_last_activity(story), story, 0), clear=clear)


def _last_activity(told: Incident | Story) -> Activity:
    if told.status != "new":
        return "close"
    return "update" if told.revision else "create"


def _play(
    collector: OfflineCollector,
    site: str,
    rows: Iterable[NumberedRow],
    batch_rows: int,
    pacing: RowPacing,
) -> None:
    if pacing.speed is None:
        for batch in cut(rows, batch_rows):
            collector.play(site, batch)
        return
    waiting: list[NumberedRow] = []

    def send() -> None:
        collector.play(site, waiting)
        collector.flush()
        waiting.clear()

    for row in rows:
        pacing.wait_for(int(row[1][0]), send)
        waiting.append(row)
        if len(waiting) >= batch_rows:
            send()
    send()


def _learn_baseline(
    collector: OfflineCollector,
    args: argparse.Namespace,
    rows: Iterator[NumberedRow],
    hide: Callable[[Iterable[NumberedRow]], Iterator[NumberedRow]],
    note: Callable[[str], None],
) -> Iterator[NumberedRow]:
    """Play the baseline, moved by whole days to end within a day before the recording begins."""
    first = next(rows, None)
    before = Recorded(args.baseline, args.local)
    learned = list(hide(counted(before.rows(), "rows of the baseline")))
    report_problems(before)
    if first is None:
        return iter(())
    if not learned:
        note("0 rows of baseline learned")
        return chain((first,), rows)
    end = max(int(row[0]) for _, row in learned)
    days = (int(first[1][0]) - end) // _DAY_US
    if days:
        note(f"the baseline is moved by {days} days, to end just before the recording")
    collector.mute_events()
    for batch in cut((moved(row, days * _DAY_US) for row in learned), args.batch_rows):
        collector.play(args.site, batch)
    for name in collector.train():
        note(f"{name}: trained on the baseline")
    collector.unmute_events()
    note(f"{len(learned):,} rows of baseline learned")
    return chain((first,), rows)


def moved(numbered: NumberedRow, by: int) -> NumberedRow:
    """The row with all its times later by ``by`` µs."""
    number, row = numbered
    values = list(row)
    for column in _TIMES[number]:
        values[column] = int(values[column]) + by
    return number, tuple(values)


def _privacy(
    recorded: Recorded, *, pseudonyms: bool
) -> Callable[[Iterable[NumberedRow]], Iterator[NumberedRow]]:
    if not pseudonyms:
        return iter
    # A key of the moment: nobody can undo these names, and the next run has others.
    privacy = Pseudonyms(secrets.token_bytes(KEY_BYTES), recorded.inside)

    def hide(rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
        for some in cut(rows, BATCH_ROWS):
            yield from privacy.hide(Columns.of(some)).rows()

    return hide


@dataclass(slots=True)
class Announcer:
    """Notes each incident when it is found, and each story when it interrupts; pseudonyms with their mark."""

    note: Callable[[str], None]
    clear: bool = True
    _called: set[tuple[str, int]] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        """Note what is new in ``event``."""
        if isinstance(event, IncidentEvent):
            incident = event.incident
            if event.activity == "create":
                self.note(
                    f"{clock_text(incident.start)}  {incident.kind:<10}  {self._told(incident.title_en)}"
                )
            return
        story = event.story
        for nth, call in enumerate(story.calls):
            if (story.uid, call.time) not in self._called:
                self._called.add((story.uid, call.time))
                who = self._told(story.machine) or "several machines"
                again = " again" if nth else ""
                self.note(f"{clock_text(call.time)}  {who} asks you to look{again}")

    def _told(self, text: str) -> str:
        return marked(text, clear=self.clear)
