"""The scoreboard as one page that needs nothing else: no script, no font, no address is fetched.

What it draws is what ``evaluate --json`` prints. Its own content policy forbids all but its own style.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from dijkwacht_lab.by_detector import ratio_text, score_text, worth_showing
from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.scoreboard_plots import DETECT_SCALE, duration, margins, recall_bar, times
from dijkwacht_records.errors import SettingsError

_COLUMNS: Final = (
    "caught", "alone", "fused", "false", "context", "÷ promised", "ns a row", "attacks", "benign", "line",
)  # fmt: skip


def check_writable(path: Path) -> None:
    """Say now what would fail at the end. Raises `SettingsError`."""
    folder = path.parent
    if (
        path.is_dir()
        or not folder.is_dir()
        or not os.access(path if path.exists() else folder, os.W_OK)
    ):
        raise SettingsError(f"--html {path}: cannot be written there")


def write_page(path: Path, page: str) -> None:
    """Write it. Raises `SettingsError` if that fails."""
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--html {path}: {error.strerror}") from None


def scoreboard_page(result: Mapping[str, Any], half: str, revision: str) -> str:
    """The page, HTML, of what `evaluate` found; ``half`` is "" if all files were judged."""
    style = files("dijkwacht_lab").joinpath("scoreboard_page.css").read_text("utf-8")
    checksum = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    what = f"half {half} of the captures" if half else "all captures of the lists"
    parts = [
        "<h1>Scoreboard</h1>",
        f'<p class="muted">Dijkwacht {escape(revision)}, {what}. Each file from a cold start.</p>',
        _figures(result),
        _recall(result),
        _times(result),
        _detectors(result),
        _margins(result),
        _against(result.get("against")),
        _missed(result),
        _false(result),
    ]
    policy = f"default-src 'none'; style-src 'sha256-{checksum}'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Scoreboard</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, parts))
        + "\n</main>\n</body>\n</html>\n"
    )


def _figures(result: Mapping[str, Any]) -> str:
    classes = result["classes"].values()
    caught, judged = (sum(c[name] for c in classes) for name in ("caught", "files"))
    benign, promise = result["benign"], result["promise"]
    of = promise["interval_95"]
    shown = [
        ("caught", f"{caught} of {judged}", "files with an attack"),
        (
            "wrong about",
            f"{benign['files_with_false_incidents']} of {benign['files']}",
            f"benign files, {benign['site_weeks']:.2f} site-weeks",
        ),
    ]
    if of:
        ratio = f"{ratio_text(promise['realised_over_promised'])} ×"
        shown.append(
            ("realised ÷ promised", ratio, f"95 %: {ratio_text(of[0])} to {ratio_text(of[1])}")
        )
    if (cost := result["cpu_seconds_per_million_flows"]) is not None:
        shown.append(("cost", f"{cost:.0f} s", "of processor per million flows"))
    cells = (
        f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>"
        for name, value, note in shown
    )
    return f"<dl>{''.join(cells)}</dl>"


def _recall(result: Mapping[str, Any]) -> str:
    rows = [
        _row(name, recall_bar(c["caught"], c["files"]), _share(c["caught"], c["files"]))
        for name, c in result["classes"].items()
        if c["files"]
    ]
    scale = _scale(("0 %", "25 %", "50 %", "75 %", "100 %"))
    note = "Files caught, with the 95 % interval that so few files allow."
    return _section("Caught, by class", note, [*rows, scale]) if rows else ""


def _times(result: Mapping[str, Any]) -> str:
    rows = []
    for name, c in result["classes"].items():
        found = [
            (line["file"], line["detect_seconds"])
            for line in _of_class(result, (name,))
            if line["status"] == "caught" and line["detect_seconds"] is not None
        ]
        if found:
            median = c["detect_seconds_median"]
            rows.append(_row(name, times(found, median), f"median {duration(median)}"))
    note = "From a file's first row to the first interruption; one mark a file, the thick one is the median."
    scale = _scale([duration(second) for second in DETECT_SCALE])
    return _section("Time to detect", note, [*rows, scale]) if rows else ""


def _detectors(result: Mapping[str, Any]) -> str:
    rows = []
    for name, r in _shown(result):
        alone, ns, ratio = r["caught_alone"], r["nanoseconds_per_row"], r["realised_over_promised"]
        cells = (
            r["caught"], "–" if alone is None else len(alone), r["caught_in_fusion"], r["false"], r["context"],
            "–" if ratio is None else ratio_text(ratio), "–" if ns is None else f"{ns:.0f}",
            score_text(r["strongest_on_attacks"]), score_text(r["strongest_on_benign"]),
            score_text(r["line"]),
        )  # fmt: skip
        own = ' <span class="own">yours</span>' if r["own"] else ""
        rows.append((f"{escape(name)}{own}", cells))
    silent = len(result["detectors"]) - len(rows)
    note = (
        "Caught: files where it has a say. Alone: missed without it. Fused: what it said was added up with what others did. False, context: incidents that are its "
        "own. ÷ promised: its interruptions on benign files against its share of the budget. Then nanoseconds "
        "a row, its strongest score on attacks and on benign files, and the line from which it interrupts."
    )
    if silent:
        note += f" {silent} more had no say in any of the files."
    head = "".join(f"<th>{c}</th>" for c in ("detector", *_COLUMNS))
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f'<td data-label="{c}">{v}</td>' for c, v in zip(_COLUMNS, cells, strict=True))
        + "</tr>"
        for name, cells in rows
    )
    table = f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return _section("By detector", note, [table]) if rows else ""


def _margins(result: Mapping[str, Any]) -> str:
    rows = []
    for name, r in _shown(result):
        attacks = _scores(result, name, ACCEPTED)
        quiet = _scores(result, name, ("benign",))
        if attacks or quiet:
            line = (
                "no line: never interrupts"
                if r["line"] is None
                else f"line {score_text(r['line'])}"
            )
            rows.append(_row(escape(name), margins(attacks, quiet, r["line"]), line))
    note = (
        '<span class="key attack">files with an attack</span> <span class="key quiet">benign files</span>: '
        "the strongest score on each, in bits above or below the line from which a site without history is "
        "interrupted; what is beyond 10 stands at the edge. A benign file beyond the line without a false alarm: what was told is somebody whom the "
        "file itself labels, or a habit. Without a line, from the lowest score to the highest."
    )
    scale = _scale(("−10", "−5", "the line", "+5", "+10"))
    return _section("Scores against the line", note, [*rows, scale]) if rows else ""


def _against(against: Mapping[str, Any] | None) -> str:
    if against is None:
        return ""
    other = escape(against["set"])
    lines = []
    for what in ("caught", "false"):
        of = against[what]
        lines.append(
            f"<p>{what.capitalize()} by both {of['both']}, by this set only {len(of['only_here'])}, by the other only "
            f"{len(of['only_there'])}, by neither {of['neither']}; p = {of['p']:.2g} (sign test).</p>"
        )
        named = [(f, f"{what} by this set only") for f in of["only_here"]]
        named += [(f, f"{what} by the other only") for f in of["only_there"]]
        if named:
            lines.append(_list(("file", "difference"), named))
    return _section(f"Against {other}", "Two sets of detectors on the same files.", lines)


def _missed(result: Mapping[str, Any]) -> str:
    found = [
        (line["file"], line["why_missed"]) for line in result["files"] if line["status"] == "missed"
    ]
    note = "What the detectors of the accepted classes made of each; scores are of the line of a new site."
    return _section("Missed", note, [_list(("file", "what is known"), found)]) if found else ""


def _false(result: Mapping[str, Any]) -> str:
    found = [
        (line["file"], f"{line['false']} × {', '.join(line['classes_said'])}")
        for line in result["files"]
        if line["false"]
    ]
    return _section("False alarms", "", [_list(("file", "incidents"), found)]) if found else ""


def _shown(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, result["detectors"][name]) for name in worth_showing(result["detectors"])]


def _of_class(result: Mapping[str, Any], classes: Iterable[str]) -> list[Mapping[str, Any]]:
    wanted = set(classes)
    return [line for line in result["files"] if line["kind"].partition(".")[0] in wanted]


def _scores(
    result: Mapping[str, Any], name: str, classes: Iterable[str]
) -> list[tuple[str, float]]:
    return [
        (line["file"], line["scores"][name][0])
        for line in _of_class(result, classes)
        if name in line["scores"] and line["scores"][name][0] is not None
    ]


def _share(some: int, of: int) -> str:
    return f"{some} of {of}, {some / of:.0%}"


def _row(label: str, picture: str, value: str, kind: str = "row") -> str:
    return (
        f'<div class="{kind}"><span class="label">{label}</span>'
        f'<span class="bars">{picture}</span><span class="value">{value}</span></div>'
    )


def _scale(marks: Sequence[str]) -> str:
    inner = "".join(f"<span>{mark}</span>" for mark in marks)
    return _row("", f'<span class="scale">{inner}</span>', "", "row scales")


def _list(heads: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(a)}</th><td>{escape(b)}</td></tr>' for a, b in rows
    )
    return f'<table class="files"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _section(title: str, note: str, parts: Iterable[str]) -> str:
    said = f'<p class="muted">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{said}{''.join(parts)}</section>"
