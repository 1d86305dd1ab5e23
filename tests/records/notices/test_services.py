"""Services that people use, as doubles that refuse what their own documentation says they refuse.

None of them can be reached from a test: these are what is written of each, in Slack's and Discord's pages
on incoming webhooks, in Microsoft's on "when a Teams webhook request is received", and in ntfy's on templates.
"""

import http.server
import json
import re
import socket
import threading
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from dijkwacht_records.notices import Letter, Notice, Undelivered, carriers_of, compose

ATTACHED = "application/vnd.microsoft.card.adaptive"


def slack(_, body):
    """``no_text``, ``invalid_attachments``; its three signs have to be written as entities."""
    text = body.get("text")
    assert isinstance(text, str)
    assert 0 < len(text) <= 40_000
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text)
    assert "attachments" not in body
    assert "blocks" not in body
    return re.sub("&(amp|lt|gt);", lambda found: {"amp": "&", "lt": "<", "gt": ">"}[found[1]], text)


def discord(url, body):
    """As Slack's, with ``/slack`` behind the address; at most 2,000 characters."""
    assert url.path.endswith("/slack")
    assert 0 < len(body["text"]) <= 2000
    return body["text"]


def teams(_, body):
    """The template's ``For each`` goes over ``attachments``, and posts the ``content`` of each as a card."""
    assert len(json.dumps(body)) <= 28_000
    assert body["type"] == "message"
    [attached] = body["attachments"]
    assert attached["contentType"] == ATTACHED
    card = attached["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    assert all(block["wrap"] and block["text"] for block in card["body"])
    return "\n".join(block["text"] for block in card["body"])


def ntfy(url, body):
    """A topic; ``t`` and ``m`` name fields of the JSON; what they give is at most 4,096 bytes each."""
    assert re.fullmatch(r"/[-_A-Za-z0-9]{1,64}", url.path)
    asked = parse_qs(url.query)
    assert asked["tpl"] == ["1"]
    filled = {
        name: re.sub(r"\{\{\.(\w+)\}\}", lambda found: body[found[1]], asked[name][0])
        for name in ("t", "m")
    }
    assert all(0 < len(text.encode()) <= 4096 for text in filled.values())
    assert filled["t"] == body["title"]
    return filled["m"]


SERVICES = [
    ("http://hooks.slack.com/services/T000/B000/secret", slack),
    ("http://discord.com/api/webhooks/1/secret/slack", discord),
    ("http://prod-23.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=s", teams),
    ("http://default1.19.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/1?sig=s", teams),
    ("http://ntfy.example.nl/topic-of-ours?tpl=1&t={{.title}}&m={{.text}}", ntfy),
]  # fmt: skip


def named(part):
    """A function's own text holds its address, which is another in each process."""
    return part[7:30] if isinstance(part, str) else part.__name__


@pytest.fixture
def posted(monkeypatch):
    """Post a letter to an address; what the double that stands in for it showed to people."""

    def post(url, refuses, letter):
        shown = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    assert self.headers["Content-Type"] == "application/json"
                    shown.append(refuses(urlsplit(self.path), body))
                except (AssertionError, KeyError, ValueError):
                    self.send_response(400)
                else:
                    self.send_response(202)
                self.end_headers()

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            real, here = socket.create_connection, server.server_address
            with monkeypatch.context() as patched:
                patched.setattr(socket, "create_connection", lambda _, *more: real(here, *more))
                thread = threading.Thread(target=server.handle_request)
                thread.start()
                named = dict.fromkeys(("mail", "mail_server", "ca_file"), None) | {"url": url}
                settings = SimpleNamespace(**{f"notify_{name}": v for name, v in named.items()})
                [carrier] = carriers_of(settings)
                try:
                    carrier.carry(letter(carrier.most_bytes))
                finally:
                    thread.join()
        return shown[0]

    return post


def one(most):
    silent = Notice(("till & <desk> is silent: é.",) * 2, ("",) * 2)
    return compose("Dijkwacht", "en", [("till", silent)], most_bytes=most)


def many(most):
    text = "agent-{n} of site is silent, and nobody knows why <!channel> & so on é".format
    told = [(f"{n}", Notice((text(n=n) * 3,) * 2, ("",) * 2)) for n in range(40)]
    return compose("Dijkwacht", "both", told, most_bytes=most)


@pytest.mark.parametrize(("url", "refuses"), SERVICES, ids=named)
def test_each_takes_a_short_letter_and_the_longest_and_shows_what_it_says(url, refuses, posted):
    shown = posted(url, refuses, one)
    assert shown.replace("\n\n", "\n") == "till & <desk> is silent: é.\nDijkwacht"
    shown = posted(url, refuses, many)
    assert "agent-0 of site is silent" in shown
    assert "and 3" in shown
    assert shown.endswith("Dijkwacht")


@pytest.mark.parametrize(("url", "refuses"), SERVICES, ids=named)
def test_the_doubles_do_refuse(url, refuses, posted):
    with pytest.raises(Undelivered):
        posted(url, refuses, lambda _: Letter("", "", "Dijkwacht"))


def test_one_line_that_is_too_long_is_cut():
    long = Notice(("é" * 5000,) * 2, ("",) * 2)
    letter = compose("Dijkwacht", "en", [("till", long)], most_bytes=1900)
    assert len(letter.text.encode()) <= 1900
    assert letter.text.endswith("é…")
