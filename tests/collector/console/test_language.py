"""The catalogues are complete, fresh, and match the source."""

import io
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector import console
from dijkwacht_collector.console import words
from dijkwacht_collector.console.language import LANGUAGES, choose_language, translations
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.knowledge.held_address import HELD_ADDRESS

HERE = Path(console.__file__).parent
PO = (HERE / "locale/nl/LC_MESSAGES/console.po").read_bytes()
MO = (HERE / "locale/nl/LC_MESSAGES/console.mo").read_bytes()
POT = (HERE / "locale/console.pot").read_bytes()


def extracted():
    found = extract_from_dir(
        HERE,
        method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
        keywords={**DEFAULT_KEYWORDS, "N_": None},
    )
    return {message if isinstance(message, str) else message[0] for _, _, message, *_ in found}


def first(message_id):
    return message_id if isinstance(message_id, str) else message_id[0]


def test_every_text_of_the_console_is_in_the_template_and_in_dutch():
    catalogue = read_po(io.BytesIO(PO), locale="nl")
    template = read_po(io.BytesIO(POT))
    wanted = extracted()
    assert {first(m.id) for m in template if m.id} == wanted
    assert {first(m.id) for m in catalogue if m.id} == wanted


def test_no_dutch_text_is_empty_fuzzy_or_breaks_its_placeholders():
    for message in read_po(io.BytesIO(PO), locale="nl"):
        if not message.id:
            continue
        texts = [message.string] if isinstance(message.string, str) else message.string
        assert all(texts), message.id
        assert not message.fuzzy
        assert list(message.check()) == []


def test_the_compiled_catalogue_is_made_from_the_readable_one():
    catalogue = read_po(io.BytesIO(PO), locale="nl")
    made = io.BytesIO()
    write_mo(made, catalogue)
    made.seek(0)
    fresh = {first(m.id): m.string for m in read_mo(made) if m.id}
    shipped = {first(m.id): m.string for m in read_mo(io.BytesIO(MO)) if m.id}
    assert shipped == fresh


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_closed_set_has_words(language):
    translate = translations(language).gettext
    for texts in (words.SEVERITY, words.KIND, words.AGENT_STATE, words.STATUS, words.METRIC):
        assert all(translate(text) for text in texts.values())


def test_every_fact_of_every_shipped_detector_has_a_dutch_word():
    facts = {fact for detector in shipped_detectors() for fact in detector.facts}
    assert set(words.FACT) == facts - {HELD_ADDRESS}, "which names a machine and is shown to nobody"
    dutch = {m.id: m.string for m in read_po(io.BytesIO(PO), locale="nl")}
    assert all(dutch[text] for text in words.FACT.values())


def test_every_metric_that_an_incident_may_name_has_a_word():
    # Only these reach an incident, and so a page.
    named = {name for detector in shipped_detectors() for name in getattr(detector, "alone", ())}
    assert len(named) > 5
    assert set(words.METRIC) == named


@given(st.one_of(st.none(), st.text()), st.text())
def test_any_header_gets_a_language(asked, accepted):
    assert choose_language(asked, accepted) in LANGUAGES


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("nl", "nl"),
        ("NL-be", "nl"),
        ("en, nl;q=0.9", "en"),
        ("nl;q=0", "en"),
        ("de,nl;q=0.1", "nl"),
        ("nl;q=x", "en"),
    ],
)
def test_the_best_accepted_language_wins(accepted, language):
    assert choose_language(None, accepted) == language
