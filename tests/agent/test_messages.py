"""Every text an owner reads is found by a key; nothing in the code asks for one that is not there."""

import ast
import string
from pathlib import Path

import pytest

import dijkwacht_agent
from dijkwacht_agent import messages
from dijkwacht_agent.messages import MESSAGES, language, message_text
from dijkwacht_agent.settings import ALLOWED, Settings
from dijkwacht_records import errors, joincode
from dijkwacht_records.errors import Message

AGENT = Path(dijkwacht_agent.__file__).parent
SOURCES = [*sorted(AGENT.rglob("*.py")), Path(joincode.__file__)]
SAME_IN_BOTH = {"other"}
CALLS = {"worded": 1, "_wrong": 0, "Message": 0, "Finding": 0, "both_words": 0}
"""Function that takes a key → the place of the key among its arguments."""
OWNERS_READ = {"SettingsError", "JoinCodeError", "CaptureError", "CollectorBusy"}
OWNERS_READ |= {"TransferError", "RejectedBatch", "NotAuthorised", "ForeignCollector", "WrongClock"}
OWNERS_READ |= {"NoCertificate", "CertificateExpired", "CertificateRevoked", "CertificateUnknown"}


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def keys_of(node):
    match node:
        case ast.Constant(value=str(key)):
            return [key]
        case ast.IfExp(body=body, orelse=other):
            return [*keys_of(body), *keys_of(other)]
    return []


def values_of(name, call):
    """The names of the values a call gives; None where they are not written out."""
    if name in {"worded", "_wrong"}:
        return {word.arg for word in call.keywords}
    given = call.args[2:] if name == "Finding" else call.args[1:]
    if not given:
        return set()
    if isinstance(given[0], ast.Dict) and all(isinstance(k, ast.Constant) for k in given[0].keys):
        return {key.value for key in given[0].keys}
    return None


def asked_for():
    for path in SOURCES:
        for name, call in calls(path):
            if name in CALLS and len(call.args) > CALLS[name]:
                for key in keys_of(call.args[CALLS[name]]):
                    yield f"{path.name}:{call.lineno}", key, values_of(name, call)


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_has_both_languages_with_the_same_places(key):
    english, dutch = MESSAGES[key]
    assert places(english) == places(dutch)
    assert (english == dutch) == (key in SAME_IN_BOTH)


def test_every_key_that_the_code_names_is_there_and_gets_its_values():
    found = list(asked_for())
    assert len(found) > 60
    for place, key, values in found:
        assert key in MESSAGES, f"{place}: no message {key!r}"
        if values is not None:
            assert values >= places(MESSAGES[key][0]), f"{place}: {key}"


def test_every_message_is_in_use():
    """What stands in a table is no use of it."""
    nodes = [
        node
        for path in SOURCES
        if not path.name.endswith("messages.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    ]
    used = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    made = [n.values[0] for n in nodes if isinstance(n, ast.JoinedStr) and len(n.values) == 2]
    begun = {n.value for n in made if isinstance(n, ast.Constant) and n.value.endswith("_")}
    assert begun == {"export_", "pair_", "thing_", "way_"}
    assert {key for key in MESSAGES if not key.startswith(tuple(begun))} <= used


def test_no_key_stands_in_two_tables():
    tables = [table for name, table in vars(messages).items() if name.endswith("_MESSAGES")]
    [own] = [
        node.value
        for node in ast.parse((AGENT / "messages.py").read_text("utf-8")).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "MESSAGES"
    ]
    keys = [key.value for key in own.keys if key is not None]
    keys += [key for table in tables for key in table]
    assert sorted(keys) == sorted(MESSAGES)


def test_an_error_that_owners_read_is_never_raised_without_a_message():
    for path in SOURCES:
        for name, call in calls(path):
            made_by_joincode = path.name == "joincode.py" and name == "JoinCodeError"
            assert name not in OWNERS_READ or made_by_joincode, f"{path.name}:{call.lineno}"
    assert all(hasattr(errors, name) for name in OWNERS_READ)


def test_every_setting_says_what_it_may_hold():
    assert set(ALLOWED) == set(Settings.__struct_fields__)


def test_values_are_filled_in():
    message = Message("interface_up", {"name": "br0"})
    assert message_text(message, "nl") == "Netwerkaansluiting br0 staat aan."


@pytest.mark.parametrize(
    ("asked", "environment", "spoken"),
    [
        ("nl", {}, "nl"),
        (None, {"LANG": "nl_NL.UTF-8"}, "nl"),
        (None, {"LANG": "nl_NL.UTF-8", "LC_ALL": "C"}, "en"),
        ("en", {"LANG": "nl_BE"}, "en"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_what_is_asked_or_the_machines(asked, environment, spoken):
    assert language(asked, environment) == spoken
