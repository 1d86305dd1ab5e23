"""The man page, drawn from the command's own parser: it cannot say what the command does not."""

from __future__ import annotations

import argparse
import datetime as dt

from dijkwacht_agent.cli import _parser

_FILES = (
    ("/var/lib/dijkwacht-agent", "key, identity, settings (agent.toml) and what waits to be sent"),
    ("/etc/default/dijkwacht-agent", "settings of the service"),
    ("/usr/share/doc/dijkwacht-agent/sbom.cdx.json", "what the package is made of"),
)
_ABOUT = (
    "Meters one network, as facts, replaces the addresses inside it by pseudonyms, and ships both"
    " to the collector of the site that it has joined. As a service it is started by systemd."
)


def man_page(version: str, epoch: int) -> str:
    """``dijkwacht-agent.1`` as roff."""
    parser = _parser()
    day = dt.datetime.fromtimestamp(epoch, dt.UTC).date()
    lines = [
        f'.TH DIJKWACHT-AGENT 1 "{day}" "dijkwacht-agent {version}" "User Commands"',
        ".SH NAME",
        r"dijkwacht-agent \- watch a small network for a lab, without reading along",
        ".SH SYNOPSIS",
        r".B dijkwacht-agent",
        r"[\fB\-\-state\fR \fIFOLDER\fR] \fICOMMAND\fR [\fIOPTION\fR ...]",
        ".SH DESCRIPTION",
        _ABOUT,
        ".SH OPTIONS",
        *_options(parser),
        ".SH COMMANDS",
    ]
    for action in parser._actions:  # noqa: SLF001  # argparse shows its actions to nobody
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for listed in action._choices_actions:  # noqa: SLF001
                lines += [f".SS {_plain(listed.dest)}", _plain(listed.help or "")]
                lines += _options(action.choices[listed.dest])
    lines.append(".SH FILES")
    for path, words in _FILES:
        lines += [".TP", f".I {_plain(path)}", _plain(words)]
    lines += [
        ".SH EXIT STATUS",
        "0: all is well; 1: something is wrong, and one line names it; 2: wrong usage.",
        ".SH SEE ALSO",
        ".BR systemctl (1)",
    ]
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser) -> list[str]:
    lines = []
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:  # noqa: SLF001
            continue
        value = action.metavar if isinstance(action.metavar, str) else None
        if action.choices is not None and value is None:
            value = "|".join(map(str, action.choices))
        names = ", ".join(rf"\fB{_plain(name)}\fR" for name in action.option_strings)
        shown = " ".join(filter(None, [names, rf"\fI{_plain(value)}\fR" if value else ""]))
        lines += [".TP", shown or action.dest, _plain((action.help or "").replace("%%", "%"))]
    return lines


def _plain(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")
