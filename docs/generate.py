"""Writes docs/reference/ from the code: what is a fact of the code is never typed twice.

`make docs` runs it; tests/docs/test_reference.py fails when a page is not what this would write.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag
from fractions import Fraction
from pathlib import Path

import msgspec

from dijkwacht_agent.settings import VARIABLE, Settings
from dijkwacht_agent.system.metrics import METRICS
from dijkwacht_collector.console.refusals import OTHER_REASONS, REASONS
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.policy import Calibrations
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.reading import reads_of
from dijkwacht_records import errors, hints
from dijkwacht_records.closed_lists import HINTS, LISTS
from dijkwacht_records.state_folder import AGENT, COLLECTOR, SYSTEM, StateKind
from dijkwacht_records.tables import TABLES

REFERENCE = Path(__file__).parent / "reference"
DIFFERENCES = Path(__file__).parent.parent / "tests/agent/oracle/differences.toml"
_NOTE = "<!-- written by docs/generate.py from {source}; run `make docs` -->\n\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    safe = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in safe)


def records() -> str:
    """Every table and column of the wire contract."""
    page = _NOTE.format(source="records/dijkwacht_records") + "# Records\n\n"
    page += "What an agent may say about a network. There is nothing else, and no payload.\n"
    for number, table in enumerate(TABLES):
        page += f"\n## `{table.name}` (table {number})\n\n{table.meaning}\n\n"
        page += _table(
            ("column", "kind", "unit", "meaning"),
            ((f"`{c.name}`", c.kind, c.unit, c.meaning) for c in table.columns),
        )
    for enum in LISTS.values():
        page += f"\n## `{enum.__name__}`\n\n{_sentence(enum)}\n\n{_members(enum)}"
    page += f"\n## `{HINTS}`\n\n{_sentence(hints)}\n\n"
    page += _table(
        ("bits", "field", "holds"),
        (
            (
                f"{place.shift}" + f"–{place.shift + place.width - 1}" * (place.width > 1),
                f"`{name}`",
                "0 or 1" if values is bool else f"`{values.__name__}`",
            )
            for name, (place, values) in hints.FIELDS.items()
        ),
    )
    for _, values in hints.FIELDS.values():
        if issubclass(values, IntEnum):
            page += f"\n### `{values.__name__}`\n\n{_sentence(values)}\n\n{_members(values)}"
    return page


def _sentence(documented: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def _members(enum: type[IntEnum | IntFlag]) -> str:
    """The members of a closed list, with what the comments beside them say."""
    said = dict(re.findall(r"^    (\w+) = [^#\n]+#\s*(.+)$", inspect.getsource(enum), re.MULTILINE))
    rows = ((str(m.value), f"`{m.name}`", said.get(str(m.name), "")) for m in enum)
    return _table(("number", "name", "meaning"), rows)


def mistakes() -> str:
    """The error tree, and what each error means."""
    page = _NOTE.format(source="the errors of records and console") + "# Errors\n\n"
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip("\n")
    page += "Every branch answers one question: would the same data work later?\n\n"
    page += f"```text\n{tree}\n```\n\n"
    page += _table(
        ("error", "means"),
        (
            (f"`{name}`", " ".join((error.__doc__ or "").split()))
            for name, error in vars(errors).items()
            if inspect.isclass(error) and issubclass(error, errors.DijkwachtError)
        ),
    )
    page += (
        "\n## Refusals\n\nWhat the collector refuses below `/v1/`, and anywhere if `Accept` asks for"
        ' JSON and not for HTML, is answered with `{"reason": …, "message": …}`. The message is a'
        " sentence for people and may change; the reason is one of these. Agents meet those of the"
        " error tree only.\n\n"
    )
    return page + _table(("reason", "HTTP status", "means"), _refusals())


def _refusals() -> list[tuple[str, str, str]]:
    """Reason, statuses and meaning of every refusal: the console's, and the error tree's."""
    statuses: dict[str, set[str]] = {}
    meanings: dict[str, str] = {}
    for status, (reason, sentence) in REASONS.items():
        statuses.setdefault(reason, set()).add(str(status))
        meanings[reason] = sentence
    for digit, (reason, sentence) in OTHER_REASONS.items():
        statuses.setdefault(reason, set()).add(f"any other {digit}xx")
        meanings[reason] = sentence
    for error in vars(errors).values():
        if inspect.isclass(error) and issubclass(error, errors.TransferError):
            if error is errors.TransferError or not error.status:  # these are never sent
                continue
            statuses.setdefault(error.reason, set()).add(str(error.status))
            meanings.setdefault(error.reason, " ".join((error.__doc__ or "").split()))
    return [(f"`{r}`", ", ".join(sorted(statuses[r])), meanings[r]) for r in statuses]


def metrics() -> str:
    """Every metric of the collector."""
    page = (
        _NOTE.format(source="collector/dijkwacht_collector/metrics/telemetry.py") + "# Metrics\n\n"
    )
    page += "`GET /metrics` of the collector. Every series exists at 0 from the start; a site has at most 500.\n\n"
    telemetry = Telemetry(["scan"], ["T1046"])
    telemetry.know_agent("site", "agent")
    text = telemetry.render().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))
    rows = []
    for name, meaning in re.findall(r"^# HELP (\S+) (.+)", text, re.MULTILINE):
        sample = re.search(rf"^{name}(?:_bucket)?\{{(.*?)\}}", text, re.MULTILINE)
        labels = re.findall(r"(\w+)=", sample[1]) if sample else []
        shown = ", ".join(f"`{label}`" for label in labels if label != "le")
        rows.append((f"`{name}`", kinds[name], shown, meaning))
    return page + _table(("metric", "kind", "labels", "meaning"), sorted(rows))


def system() -> str:
    """Every metric that an agent may send of its own machine."""
    page = _NOTE.format(source="agent/dijkwacht_agent/system/metrics.py") + "# System metrics\n\n"
    page += (
        "Rows of the `system` table. *Often* is each sample (`system_s`), *seldom* once a heartbeat (`heartbeat_s`),"
        " with which all of them leave. *Since before*: since the sample before that had this metric; there is none"
        " at first, nor when a counter began anew. A ratio is 0 to 1, to the nearest 1/1024; other values have 11"
        " significant bits. What a machine cannot tell is absent.\n\n"
    )
    rows = ((f"`{m.name}`", m.name.rpartition("_")[2], m.pace, m.meaning) for m in METRICS)
    return page + _table(("metric", "unit", "how often", "meaning"), rows)


def settings() -> str:
    """Every setting of agent and collector, with its default."""
    page = _NOTE.format(source="the settings of agent and collector") + "# Settings\n\n"
    page += "An unknown name is refused at start, with the nearest one that exists.\n"
    for title, kind, how in (
        (
            "Agent",
            Settings,
            f"`agent.toml` in the state folder, or a variable `{VARIABLE}NAME`. {_state(AGENT)}",
        ),
        (
            "Collector",
            CollectorSettings,
            f"A TOML file given to `dijkwacht collect --settings`. {_state(COLLECTOR)}",
        ),
    ):
        page += f"\n## {title}\n\n{how}\n\n"
        sentences = _sentences(kind)
        page += _table(
            ("setting", "default", "meaning"),
            (
                (f"`{field.name}`", _shown(field), sentences.get(field.name, ""))
                for field in msgspec.structs.fields(kind)
            ),
        )
    return page


def _state(kind: StateKind) -> str:
    return (
        f"The state folder is `--state`, else the first of `$STATE_DIRECTORY` (systemd), else"
        f" `{SYSTEM / kind.system}` as root, else `$XDG_STATE_HOME/{kind.user}`"
        f" (`~/.local/state/{kind.user}`); a path in these variables that is not absolute is ignored."
    )


def _shown(field: msgspec.structs.FieldInfo) -> str:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if isinstance(default, list | frozenset):
        default = ", ".join(sorted(default))
    if default in {None, ""}:
        return ""
    return f"`{default}`"


def _sentences(kind: type) -> dict[str, str]:
    """The text under each field of a class, as editors show it."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(value=ast.Constant(value=str(sentence))):
                    found[field.target.id] = " ".join(sentence.split())
                case _:
                    pass
    return found


def detectors() -> str:
    """Every detector that is shipped."""
    page = _NOTE.format(source="detectors/dijkwacht_detectors/") + "# Detectors\n\n"
    page += "How well they detect stands in [detection.md](../detection.md).\n\n"
    shipped = shipped_detectors()
    page += _table(
        ("detector", "incident class", "ATT&CK", "table", "entity", "grain", "share", "facts"),
        (
            (
                f"`{d.name}`",
                d.kind,
                d.technique or "–",
                ", ".join(reads_of(d)),
                d.entity if isinstance(d.entity, str) else ", ".join(d.entity),
                d.grain,
                _share(d),
                ", ".join(d.facts) or "–",
            )
            for d in shipped
        ),
    )
    for detector in shipped:
        page += f"\n## `{detector.name}`\n\n{inspect.getdoc(type(detector))}\n"
    return page


def _share(detector: AnyDetector) -> str:
    """Its part of a site's alert budget, of which what never interrupts has none; all together have 1."""
    if not detector.interrupts:
        return "context"
    return (
        "shadow"
        if Calibrations().in_shadow([detector])
        else str(Fraction(detector.share).limit_denominator(999))
    )


def oracles() -> str:
    """How far the meter and Wireshark agree, and each difference."""
    page = _NOTE.format(source="tests/agent/oracle/differences.toml") + "# Second opinions\n\n"
    told = tomllib.loads(DIFFERENCES.read_text("utf-8"))
    page += (
        "What the meter reads of each protocol is compared with what Wireshark's dissectors read of the same"
        " packets, through pyshark. Every run takes a sample of the labelled captures, `make long` all of them. A"
        " difference that is not listed here fails, and so does one that is listed and gone.\n\n"
        "A *fact* is a row's fields that are compared together. *Missed*: Wireshark has it and the meter does not."
        " *More*: the meter has it and Wireshark does not. A fact that differs is one of each. Captures are those in"
        " which either found something.\n\n"
    )
    head = ("table", "compared", "captures", "facts", "equal", "missed", "more")
    figures = ("captures", "compared", "equal", "missed", "more")
    page += _table(
        head,
        (
            (f"`{name}`", told["compared"][name], *(f"{found[figure]:,}" for figure in figures))
            for name, found in told["figures"].items()
        ),
    )
    page += "\n## What is not compared\n\n"
    page += "".join(f"- {rule}\n" for rule in told["not_compared"])
    page += "\n## Differences\n\n"
    page += _table(("reason", "what it is"), ((f"`{n}`", t) for n, t in told["reasons"].items()))
    for name, listed in told["captures"].items():
        page += f"\n### `{name}`\n\n"
        page += _table(
            ("capture", "missed", "more", "reason"),
            (
                (f"`{at}`", str(d["missed"]), str(d["more"]), f"`{d['reason']}`")
                for at, d in listed.items()
            ),
        )
    return page


PAGES: dict[str, Callable[[], str]] = {
    "records": records,
    "errors": mistakes,
    "metrics": metrics,
    "settings": settings,
    "system": system,
    "detectors": detectors,
    "oracles": oracles,
}


def write() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    write()
