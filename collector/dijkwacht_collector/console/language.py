"""Which language a reader gets, and the environment that renders it."""

from __future__ import annotations

import gettext
from pathlib import Path
from typing import Final, Literal, cast

import jinja2

Language = Literal["en", "nl"]
LANGUAGES: Final[dict[Language, str]] = {"en": "English", "nl": "Nederlands"}
DOMAIN: Final = "console"

_HERE: Final = Path(__file__).parent


def choose_language(asked: str | None, accepted: str) -> Language:
    """``?lang=`` if it names a language we have, else the best of ``Accept-Language``, else English.

    >>> choose_language(None, "fr, nl-BE;q=0.8, en;q=0.5"), choose_language("en", "nl")
    ('nl', 'en')
    """
    if asked in LANGUAGES:
        return asked
    best, best_quality = "en", 0.0
    for part in accepted[:1000].split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.partition("-")[0].lower()
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return cast("Language", best)


def translations(language: Language) -> gettext.NullTranslations:
    """The catalogue of ``language``; English is the text in the source."""
    return gettext.translation(DOMAIN, _HERE / "locale", [language], fallback=language == "en")


def environment(language: Language) -> jinja2.Environment:
    """Templates of the console in ``language``: escaped, and strict about unknown names."""
    env = jinja2.Environment(
        # Read now: a first visit must not stop the event loop for a file.
        loader=jinja2.DictLoader(
            {path.name: path.read_text("utf-8") for path in (_HERE / "templates").iterdir()}
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    env.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    return env
