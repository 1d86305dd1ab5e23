"""Which alerts belong to which labelled file: by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.peers.alert_files import WANTED, is_alerts, read_alerts
from dijkwacht_lab.peers.mapping import ClassMapping
from dijkwacht_lab.peers.peer import Peer
from dijkwacht_lab.scoreboard import Judged
from dijkwacht_records.errors import SettingsError, UnreadableInput

_NAMES = "scan/x.pcap has its alerts in the folder DIR/scan/x.pcap or in files DIR/scan/x.pcap.*"


def alerts_found(place: Path, chosen: Sequence[Labelled]) -> dict[Path, list[Path]]:
    """Labelled file → files of its tool, alerts or other logs; none for a tool that ran and wrote nothing.

    ``place`` is a folder in which every labelled file has a folder of its name, or files whose names
    begin with it; or one file of alerts, for the one labelled file that there is or whose name its own
    begins with. Raises `SettingsError`, and `UnreadableInput` for one file that holds no alerts.
    """
    if place.is_dir():
        in_folder = {item.path: found for item in chosen
                     if (found := _named_after(item, place)) is not None}  # fmt: skip
        if not in_folder:
            raise SettingsError(
                f"--alerts {place}: nothing in it is named after a labelled file; {_NAMES}"
            )
        return in_folder
    if not place.exists():
        raise SettingsError(f"--alerts {place}: no such file or folder")
    mine = {item.path for item in chosen if place.name.startswith(item.path.name + ".")}
    if not mine:
        mine = {item.path for item in chosen}
    if len(mine) != 1:
        raise SettingsError(
            f"--alerts {place}: belongs to one labelled file, and {len(mine)} are chosen: name it after "
            f"one (x.pcap.eve.json), or give a folder; there {_NAMES}"
        )
    if not is_alerts(place):
        raise UnreadableInput(str(place), "start", WANTED)
    return {mine.pop(): [place]}


def _named_after(item: Labelled, folder: Path) -> list[Path] | None:
    bases = (Path(item.path.parent.name) / item.path.name, Path(item.path.name))
    for base in (folder / each for each in bases):
        beside = [path for path in sorted(base.parent.glob("*")) if path.is_file()
                  and path.name.startswith(base.name + ".")]  # fmt: skip
        within = sorted(path for path in base.glob("*") if path.is_file()) if base.is_dir() else []
        if base.is_dir() or beside:
            return [*beside, *within]
    return None


def peer_of(place: Path, ours: Sequence[Judged], mapping: ClassMapping) -> Peer:
    """The column of the tool whose alerts are at ``place``, beside ``ours``.

    Raises `SettingsError` and `UnreadableInput`.
    """
    found = alerts_found(place, [judged.labelled for judged in ours])
    peer, tools, unmapped = Peer("alerts"), set(), Counter[str]()
    heard = ignored = damaged = passed_over = 0
    for judged in ours:
        paths = found.get(judged.labelled.path)
        if paths is None:
            peer.leave_out(judged, "no alerts are named after it")
            continue
        read = read_alerts([path for path in paths if is_alerts(path)], mapping)
        passed_over += sum(not is_alerts(path) for path in paths)
        peer.hear(judged, read.said)
        tools |= {read.tool} - {""}
        unmapped += read.unmapped
        heard, ignored, damaged = (
            heard + len(read.said), ignored + read.ignored, damaged + read.damaged
        )  # fmt: skip
    if len(tools) > 1:
        raise SettingsError(
            f"--alerts {place}: alerts of {' and '.join(sorted(tools))}: one tool at a time"
        )
    peer.name = min(tools, default=peer.name)
    peer.unmapped = dict(unmapped.most_common())
    peer.about = {"alerts": heard, "ignored": ignored, "damaged_lines": damaged,
                  "files_with_alerts_of": len(found)}  # fmt: skip
    asked = f"{heard:,} alerts on {len(found)} of {len({j.labelled.path for j in ours})} files"
    peer.lines = [f"{asked}, {ignored:,} ignored, {damaged:,} lines not readable"]
    if passed_over and not tools:  # beside alerts a tool's other logs are no news
        peer.lines.append(f"careful: no file is {WANTED}; {passed_over:,} passed over")
    return peer
