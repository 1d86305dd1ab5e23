"""Every verdict of everything at hand, so that two versions can be held side by side.

    python benchmarks/verdicts.py --opinions --to before.jsonl ../shared/captures/LABELS.csv …
    PYTHONPATH=… python benchmarks/verdicts.py --opinions --compare before.jsonl ../shared/captures/LABELS.csv …

The inputs are each labelled capture, each scenario, each recording of the repository, all from a cold start, and
an hour of some tens of generated sites in the mix of captures, a third of them with an attack of theirs. A verdict is a line as a sink would write it: each step in the life of
an incident or a story, with its evidence and its calls, and how each stood in the end. What is written is, by
input, one line that tells its digest, and its verdicts, sorted. PYTHONPATH decides which checkout is measured,
with its scenarios and recordings.

With ``--opinions`` two numbers and digests a detector are kept, too: of all scores, and of those that its table
of rarity tells from nothing. A model that is not walked where it cannot matter changes the first alone.

``--compare``: says which inputs differ from what is in the file, the first difference of each; exit code 1 then.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
from attacked_hour import attacked_hour, candidates

import dijkwacht
from dijkwacht.kernels import compile_kernels
from dijkwacht.offline import NumberedRow, OfflineCollector, cut
from dijkwacht.progress import report
from dijkwacht.recording import Recorded
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import (
    Event,
    IncidentEvent,
    StoryEvent,
    detection_finding,
    incident_finding,
)
from dijkwacht_collector.policy import Calibrations, Scored
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.labels import Labelled, read_lists
from dijkwacht_records.errors import DijkwachtError

ROOT = Path(dijkwacht.__file__).resolve().parent.parent.parent
BATCH_ROWS = 100
TRAIN_AFTER = 100_000
"""Rows of the hour after which models are trained, once."""
HOUR = "hour"
Head = dict[str, Any]
"""What is told of an input: its name, digest, rows, number of verdicts and opinions (None where not asked)."""


class Input(NamedTuple):
    """What is played; ``name`` is ``capture/…``, ``scenario/…``, ``recording/…`` or `HOUR`."""

    name: str
    path: Path
    attacks: tuple[Labelled, ...] = ()


class Verdicts(NamedTuple):
    """What came of an input: its ``head``, and its sorted lines."""

    head: Head
    lines: list[str]


class Listener:
    """Counts and digests what each detector says, in its order; call it with each step's opinions."""

    def __init__(self) -> None:
        detectors, tables = shipped_detectors(), Calibrations()
        self._names = [detector.name for detector in detectors]
        self._lowest = [tables.table(detector).scores[0] for detector in detectors]
        self._counts = [[0, 0] for _ in detectors]
        self._digests = [tuple(hashlib.blake2b(digest_size=8) for _ in range(2)) for _ in detectors]

    def __call__(self, scored: Sequence[Scored], _numbering: Numbering) -> None:
        for one in scored:
            finite = np.isfinite(one.scores)
            for kind, rows in enumerate(
                (finite, finite & (one.scores >= self._lowest[one.detector]))
            ):
                self._counts[one.detector][kind] += int(np.count_nonzero(rows))
                digest = self._digests[one.detector][kind]
                digest.update(one.time[rows].tobytes())
                digest.update(one.scores[rows].tobytes())

    def heard(self) -> dict[str, list[int | str]]:
        """Detector → number and digest of all its scores, and of those from its lowest bin on."""
        return {
            name: [counts[0], digests[0].hexdigest(), counts[1], digests[1].hexdigest()]
            for name, counts, digests in zip(self._names, self._counts, self._digests, strict=True)
            if counts[0]
        }


def played(item: Input, *, opinions: bool = False) -> Verdicts:
    """Every verdict of one input."""
    lines: list[str] = []
    listener = Listener() if opinions else None
    rows = 0
    try:
        with OfflineCollector(
            on_event=lambda event: lines.append(line_of(event)), watch=listener
        ) as collector:
            _play(item, collector)
            collector.finish()
            rows = collector.rows
            ends: tuple[Event, ...] = (
                *(IncidentEvent("update", one, 0) for one in collector.outcome.final()),
                *(StoryEvent("update", one, 0) for one in collector.outcome.final_stories()),
            )
            lines.extend(line_of(end, "in the end ") for end in ends)
    except DijkwachtError as error:
        if not item.name.startswith("capture/"):  # what is generated is never refused
            raise
        lines.append(json.dumps({"refused": str(error).replace(str(item.path.parent), "")}))
    lines.sort()
    digest = hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
    head = {
        "input": item.name, "digest": digest, "rows": rows, "verdicts": len(lines),
        "opinions": listener.heard() if listener else None,
    }  # fmt: skip
    return Verdicts(head, lines)


def line_of(event: Event, when: str = "") -> str:
    """A step in a life as a sink would have it, without what follows from the release alone."""
    if isinstance(event, IncidentEvent):
        finding = detection_finding(event, clear=True)
        infos: Any = [finding["finding_info"]]
    else:
        finding = incident_finding(event, clear=True)
        infos = finding["finding_info_list"]
    metadata = cast("dict[str, Any]", finding["metadata"])
    del metadata["product"]
    for info in infos:
        del info["analytic"]["version"]
    finding["activity_name"] = f"{when}{finding['activity_name']}"
    return json.dumps(msgspec.to_builtins(finding), sort_keys=True)


def _play(item: Input, collector: OfflineCollector) -> None:
    kind = item.name.partition("/")[0]
    if kind == HOUR:
        train_after = TRAIN_AFTER
        for site, batch in attacked_hour(item.attacks):
            collector.play(site, batch)
            if train_after and collector.rows >= train_after:
                train_after = 0
                collector.train()
        return
    site, patterns = "lab", item.path / "rows.jsonl"
    if kind == "scenario":
        site = tomllib.loads((item.path / "site.toml").read_text())["name"]
        if (item.path / "baseline.jsonl").exists():
            for batch in cut(_pattern_rows(item.path / "baseline.jsonl"), BATCH_ROWS):
                collector.play(site, batch)
            collector.train()
    rows = _pattern_rows(patterns) if patterns.exists() else _recorded(item.path)
    for batch in cut(rows, BATCH_ROWS):
        collector.play(site, batch)


def _recorded(path: Path) -> Iterator[NumberedRow]:
    return Recorded([path if path.is_file() else path / "traffic.pcap"]).rows()


def _pattern_rows(path: Path) -> Iterator[NumberedRow]:
    spec = importlib.util.spec_from_file_location("rows", ROOT / "tests/scenarios/rows.py")
    assert spec and spec.loader  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return iter(module.read_rows(path))


def inputs(labels: Sequence[Path], only: Sequence[str] = ()) -> list[Input]:
    """All inputs whose names begin with one of ``only``, if there are any; what lasts longest is first."""
    listed = read_lists(labels)[0] if labels else []
    # An hour in which nothing happens says nothing: without captures there is none.
    found = [Input(HOUR, ROOT, candidates(listed))] if listed else []
    captures = sorted(listed, key=lambda one: -one.path.stat().st_size)
    found += [
        Input(f"capture/{one.path.parent.parent.name}/{one.kind}/{one.path.name}", one.path)
        for one in captures
    ]
    for kind, folder, file in (
        ("recording", "lab/dijkwacht_lab/recordings", "traffic.pcap"),
        ("scenario", "tests/scenarios", "expected.jsonl"),
    ):
        cases = sorted((ROOT / folder).glob(f"*/{file}"))
        found += [Input(f"{kind}/{case.parent.name}", case.parent) for case in cases]
    return [one for one in found if not only or one.name.startswith(tuple(only))]


def written(verdicts: Iterable[Verdicts]) -> Iterator[str]:
    """The lines of a file: inputs by name, each with its head and then its verdicts."""
    for one in sorted(verdicts, key=lambda one: str(one.head["input"])):
        yield json.dumps(one.head, sort_keys=True)
        yield from one.lines


def read_back(lines: Iterable[str]) -> dict[str, Verdicts]:
    """What `written` wrote, by the name of the input."""
    found: dict[str, Verdicts] = {}
    last: Verdicts | None = None
    for line in lines:
        if line.startswith('{"digest"'):
            last = Verdicts(json.loads(line), [])
            found[last.head["input"]] = last
        elif last is not None:
            last.lines.append(line.rstrip("\n"))
    return found


def differences(
    before: Mapping[str, Verdicts], after: Mapping[str, Verdicts]
) -> Iterator[tuple[str, str]]:
    """Each input of ``after`` that differs from what it was, and the first difference."""
    for name in sorted(after):
        if name not in before:
            yield name, "it is not in the file"
        elif said := difference(before[name], after[name]):
            yield name, said


def difference(before: Verdicts, after: Verdicts) -> str:
    """The first difference between two of one input, "" if there is none."""
    if before.head["rows"] != after.head["rows"]:
        return f"{before.head['rows']} rows were, {after.head['rows']} are: not the same input"
    gone = Counter(before.lines) - Counter(after.lines)
    new = Counter(after.lines) - Counter(before.lines)
    if gone or new:
        return (
            f"{gone.total()} verdicts gone, {new.total()} new\n"
            f"  before: {min(gone, default='nothing')}\n  after:  {min(new, default='nothing')}"
        )
    was, is_ = before.head["opinions"], after.head["opinions"]
    if was is None or is_ is None:
        return ""
    for name in sorted(was.keys() | is_.keys()):
        if was.get(name) != is_.get(name):
            binned = (was.get(name) or [])[2:] != (is_.get(name) or [])[2:]
            which = "scores that its table knows" if binned else "scores below its table alone"
            return f"opinions of {name}, {which}: before {was.get(name)}, after {is_.get(name)}"
    return ""


def collect(
    chosen: Sequence[Input], processes: int, play: Callable[..., Verdicts], *, opinions: bool
) -> list[Verdicts]:
    """Play inputs, some at a time."""
    found: list[Verdicts] = []
    with ProcessPoolExecutor(processes, get_context("spawn"), compile_kernels) as pool:
        running = [pool.submit(play, one, opinions=opinions) for one in chosen]
        for done in as_completed(running):
            found.append(done.result())
            if len(found) % 100 == 0:
                report(f"{len(found)} of {len(running)} inputs")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("labels", nargs="*", type=Path, metavar="LABELS.csv")
    add(
        "--only",
        nargs="+",
        default=[],
        metavar="BEGINNING",
        help="of inputs' names: hour scenario/ …",
    )
    add("--opinions", action="store_true", help="a digest of each detector's scores, too")
    add("--processes", type=int, default=2)
    add("--to", type=Path, metavar="FILE", help="write what was found")
    add("--compare", type=Path, metavar="FILE", help="what was found before")
    options = parser.parse_args()
    before = {}
    if options.compare:
        with options.compare.open() as file:
            before = read_back(file)
    began = time.monotonic()
    compile_kernels()
    chosen = inputs(options.labels, options.only)
    found = collect(chosen, options.processes, played, opinions=options.opinions)
    if options.to:
        options.to.write_text("".join(f"{line}\n" for line in written(found)))
    count = sum(one.head["verdicts"] for one in found)
    whole = hashlib.blake2b("\n".join(written(found)).encode(), digest_size=16).hexdigest()
    report(f"{len(found)} inputs, {sum(one.head['rows'] for one in found):,} rows, {count:,} verdicts "
           f"in {time.monotonic() - began:.0f} s; digest of all {whole}")  # fmt: skip
    if empty := sorted(one.head["input"] for one in found if not one.head["rows"]):
        report(f"{len(empty)} inputs have no row, of which nothing is shown: {' '.join(empty[:5])}")
    if not options.compare:
        return 0
    differ = list(differences(before, {one.head["input"]: one for one in found}))
    for name, said in differ:
        print(f"{name}: {said}")
    if not options.only and (left := before.keys() - {one.head["input"] for one in found}):
        differ += [(name, "") for name in left]
        print(f"{len(left)} inputs of the file were not played, {min(left)} the first")
    print(f"{len(differ)} of {len(found)} inputs differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
