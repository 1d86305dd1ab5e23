"""One thing has one word in Dutch, wherever an owner or an operator reads it."""

import io
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import dijkwacht_collector.console
from dijkwacht_agent.messages import MESSAGES
from dijkwacht_collector.notices import words

CATALOGUE = Path(dijkwacht_collector.console.__file__).parent / "locale/nl/LC_MESSAGES/console.po"
NOT_SAID = {
    "collector": "verzamelaar",
    "machine": "apparaat, of computer",
    "toestel": "apparaat",
    "device": "apparaat",
    "site": "locatie",
    "vestiging": "locatie",
    "waker": "agent",
    "sensor": "agent",
    "pseudoniem": "schuilnaam",
    "alert": "melding",
    "incident": "melding, of voorval",
    "log": "logboek",
    "interface": "netwerkaansluiting",
    "netwerkkaart": "netwerkaansluiting",
    "folder": "map",
    "directory": "map",
    "backup": "kopie, of reservekopie",
    "token": "toegangsbewijs",
    "registreren": "aanmelden",
    "koppelen": "aanmelden, of de sleutel geven",
    "je": "u",
    "jouw": "uw",
}
"""What is not said → what is."""
_TYPED = re.compile(
    r"%\(\w+\)\w|\{[^{}]*\}|`[^`]*`|--\w+|dijkwacht-agent [a-z]+|<[^>]*>|https?://\S+"
)
_BLOCKS = re.compile(r"```.*?```|\]\([^)]*\)", re.DOTALL)
_BORROWED = re.compile(r"\(\*\w+ \w+\*\)|\*English.*")


def texts(root):
    """Where a text stands, and the text."""
    for key, (_, dutch) in MESSAGES.items():
        yield key, dutch
    for message in read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="nl"):
        said = (message.string,) if isinstance(message.string, str) else message.string
        for text in said if message.id else ():
            yield f"console: {text[:40]}", text
    for pair in (*words.SILENT, *words.COPIED, *words.FAULT.values(), words.WELL, words.TRY.begun):
        yield "notices", pair[1]
    page = (root / "docs/install.nl.md").read_text("utf-8")
    yield "docs/install.nl.md", _BORROWED.sub(" ", _BLOCKS.sub(" ", page))
    for script in ("preinst", "postinst", "prerm", "postrm"):
        source = (root / "deploy/debian/files" / script).read_text("utf-8")
        for found in re.finditer(r'nl\*\).*|say "[^"]*" *(?:\\\s*)?"([^"]*)"', source):
            yield script, found[1] or found[0]


def test_there_is_something_to_read(root):
    assert len(list(texts(root))) > 500


@pytest.mark.parametrize("word", NOT_SAID)
def test_it_is_called_by_its_one_word(root, word):
    whole = re.compile(rf"\b{word}(s|n|en)?\b", re.IGNORECASE)
    found = [(where, text) for where, text in texts(root) if whole.search(_TYPED.sub(" ", text))]
    assert not found, f"say {NOT_SAID[word]}"
