"""The scoreboard's other columns: what a course would build, and other tools' own alerts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from dijkwacht.progress import counted, report
from dijkwacht.recording import Recorded
from dijkwacht_lab.halves import choose_half
from dijkwacht_lab.labels import ACCEPTED, Labelled
from dijkwacht_lab.peers import benign, measure, models
from dijkwacht_lab.peers.alerts_found import alerts_found, peer_of
from dijkwacht_lab.peers.flow_features import SiteFlows, flows_of
from dijkwacht_lab.peers.mapping import SHIPPED, read_mapping
from dijkwacht_lab.peers.peer import Peer
from dijkwacht_lab.scoreboard import Judged
from dijkwacht_records.errors import DijkwachtError, SettingsError

_RULE: Final = "peers know no classes: an alert that names an attacker as its source counts as one of the right class"


def add_peers(parser: argparse.ArgumentParser) -> None:
    """The options that set others beside us."""
    parser.add_argument(
        "--peers",
        action="store_true",
        help="isolation forest, ECOD and KitNET over the same flows, by the same rule; takes minutes",
    )
    parser.add_argument(
        "--alerts",
        action="append",
        type=Path,
        default=[],
        metavar="FILE_OR_FOLDER",
        help="another tool's alerts (Suricata EVE, Zeek notice.log, Slips alerts.json), by the same "
        "rule: one file's, or a folder with files named after the labelled ones; may be repeated",
    )
    parser.add_argument(
        "--mapping",
        type=Path,
        default=SHIPPED,
        metavar="FILE",
        help="which class of ours another tool's is, in TOML (default: the shipped one, "
        "lab/dijkwacht_lab/peers/mapping.toml)",
    )


def check_peers(args: argparse.Namespace, chosen: Sequence[Labelled]) -> None:
    """Say at once what would fail after minutes. Raises `SettingsError` and `UnreadableInput`."""
    read_mapping(args.mapping)
    if args.mapping != SHIPPED and not args.alerts:
        raise SettingsError(f"--mapping {args.mapping}: is for --alerts, and there are none")
    for place in args.alerts:
        alerts_found(place, chosen)


def peers_beside(
    args: argparse.Namespace, listed: Iterable[Labelled], ours: Sequence[Judged]
) -> list[Peer]:
    """The columns that were asked for. ``listed``: all files, of which the benign ones of half A are learned from."""
    mapping = read_mapping(args.mapping)
    told = [peer_of(place, ours, mapping) for place in args.alerts]
    if not args.peers:
        return told
    for library in measure.missing():
        report(f"--peers: without {library}: pip install 'dijkwacht[peers]' brings it")
    learned = [item for item in choose_half(listed, "A") if item.class_ == "benign"]
    total = len(learned) + len(benign.OFFICES)
    gathering = benign.gather(learned, benign.OFFICES, benign.DAYS, args.jobs)
    sites = list(counted(gathering, "benign sites", total))
    judged = [j for j in ours if j.labelled.class_ in (*ACCEPTED, "benign")]
    flows = {
        str(j.labelled.path): _flows(j.labelled.path, args.local)
        for j in counted(judged, "flows of files", len(judged))
    }
    report(_RULE)
    measuring = measure.measure(ours, sites, flows, args.jobs)
    columns = list(counted(measuring, "peers", len(models.MODELS)))
    order = list(models.MODELS)
    return told + sorted(columns, key=lambda peer: order.index(peer.name))


def _flows(path: Path, local: Sequence[str]) -> SiteFlows:
    try:
        return flows_of(Recorded([path], local).rows())
    except DijkwachtError:
        return flows_of(())
