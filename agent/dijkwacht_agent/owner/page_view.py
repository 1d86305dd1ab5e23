"""The owner's page as HTML: no script, every value escaped, one column on a telephone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from dijkwacht_agent.messages import message_text
from dijkwacht_agent.owner.who import Found
from dijkwacht_agent.pacing import moment
from dijkwacht_records.errors import Message

MOST_SHOWN: Final = 200
"""Devices on the page; the others are found by their pseudonym."""
_LANGUAGES: Final = {"en": "English", "nl": "Nederlands"}


class View:
    """Draws in one language."""

    def __init__(self, language: str) -> None:
        self.language: Final = language

    def say(self, key: str, **values: str | float) -> str:
        """A text of the page, escaped."""
        return escape(message_text(Message(key, {**values}), self.language))

    def door(self, said: str = "") -> str:
        """The page that asks for the PIN; ``said``: what was wrong with the last one, escaped."""
        wrong = f'<p class="wrong" role="alert">{said}</p>' if said else ""
        return self._frame(
            f'<form class="door" method="post" action="/enter?lang={self.language}">{wrong}'
            f'<label for="pin">{self.say("page_pin")}</label>'
            '<input id="pin" name="pin" type="password" inputmode="numeric" required autofocus'
            ' autocomplete="current-password" maxlength="64">'
            f"<button>{self.say('page_enter')}</button></form>"
        )

    def home(
        self,
        devices: Sequence[Found],
        asked: str = "",
        answer: str = "",
        outside: Sequence[str] = (),
    ) -> str:
        """The page itself: ``answer`` (HTML) to what was ``asked``; ``outside``: pseudonyms of the devices' addresses."""
        return self._frame(
            f'<p class="intro">{self.say("page_intro")}</p>'
            f'<form method="post" action="/who?lang={self.language}">'
            f'<label for="text">{self.say("page_ask")}</label>'
            '<textarea id="text" name="text" rows="4" maxlength="20000" required spellcheck="false"'
            f' placeholder="~192.168.23.254">{escape(asked)}</textarea>'
            f"<button>{self.say('page_who')}</button></form>{answer}"
            f"<section><h2>{self.say('page_devices')}</h2>{self._devices(devices, outside)}</section>"
            f'<p class="note">{self.say("page_private")}</p>'
            f'<form method="post" action="/leave?lang={self.language}">'
            f'<button class="quiet">{self.say("page_leave")}</button></form>'
        )

    def answer(self, found: Sequence[Found], sentence: str, why: Sequence[str]) -> str:
        """Who they are; ``sentence`` is the text with all opened, if it was more than a pseudonym."""
        if not found:
            said = [escape(one) for one in why] or [self.say("page_nobody")]
            return f'<div class="answer" role="status">{"".join(f"<p>{one}</p>" for one in said)}</div>'
        parts = []
        if sentence:
            parts.append(f'<blockquote dir="auto">{escape(sentence)}</blockquote>')
        parts += [self._found(one) for one in found]
        parts += [f"<p>{escape(one)}</p>" for one in why]
        parts.append(f'<p class="note">{self.say("page_sure")}</p>')
        return f'<div class="answer" role="status">{"".join(parts)}</div>'

    def _found(self, found: Found) -> str:
        rows = [
            ("page_call", found.called),
            ("page_device", found.name),
            ("page_address", ", ".join(found.addresses) if found.kind != "address" else ""),
            ("page_mac", found.mac),
            ("page_maker", self._maker(found)),
            ("page_seen", moment(found.seen) if found.seen else ""),
        ]
        facts = "".join(
            f"<div><dt>{self.say(key)}</dt><dd><bdi>{escape(value)}</bdi></dd></div>"
            for key, value in rows
            if value
        )
        others = f" {self.say('page_or')} ".join(escape(one) for one in (found.real, *found.others))
        return (
            f'<article><p class="mono small">{escape(found.pseudonym)}</p>'
            f"<h3><bdi>{escape(found.label) + ' · ' if found.label else ''}{others}</bdi></h3>"
            f"<dl>{facts}</dl>{self._naming(found)}</article>"
        )

    def _devices(self, devices: Sequence[Found], outside: Sequence[str]) -> str:
        if not devices:
            return f"<p>{self.say('page_no_devices')}</p>"
        shown = "".join(
            f"<li><h3><bdi>{escape(one.label or one.real)}</bdi></h3><dl>"
            f"{self._fact('page_address', ', '.join(one.addresses))}"
            f"{self._fact('page_outside', hidden)}"
            f"{self._fact('page_mac', one.mac)}{self._fact('page_maker', self._maker(one))}"
            f"{self._fact('page_seen', moment(one.seen))}</dl>{self._naming(one)}</li>"
            for one, hidden in zip(devices[:MOST_SHOWN], outside, strict=False)
        )
        more = len(devices) - MOST_SHOWN
        rest = f"<p>{self.say('page_more', count=more)}</p>" if more > 0 else ""
        return f'<ul class="devices">{shown}</ul>{rest}'

    def _fact(self, key: str, value: str) -> str:
        if not value:
            return ""
        return f'<div><dt>{self.say(key)}</dt><dd class="mono">{escape(value)}</dd></div>'

    def _maker(self, found: Found) -> str:
        if found.chance:
            return message_text(Message("page_chance"), self.language)
        return found.maker

    def _naming(self, found: Found) -> str:
        device = escape(found.mac or found.real, quote=True)
        return (
            f'<form class="name" method="post" action="/name?lang={self.language}">'
            f'<input type="hidden" name="device" value="{device}">'
            f'<input name="name" aria-label="{self.say("page_call")}" maxlength="60" placeholder="{self.say("page_call")}"'
            f' value="{escape(found.called, quote=True)}"><button class="quiet">{self.say("page_save")}</button></form>'
        )

    def _frame(self, main: str) -> str:
        links = " ".join(
            f'<a href="/?lang={code}" lang="{code}"{" aria-current=true" if code == self.language else ""}>{name}</a>'
            for code, name in _LANGUAGES.items()
        )
        return (
            f'<!doctype html>\n<html lang="{self.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
            f"<title>{self.say('page_title')} · Dijkwacht</title>"
            '<link rel="stylesheet" href="/page.css"></head>'
            f"<body><header><h1>{self.say('page_title')}</h1><nav>{links}</nav></header>"
            f"<main>{main}</main></body></html>\n"
        )
