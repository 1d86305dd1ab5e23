"""What a browser gets instead of a page, and what a program gets."""

import re

import msgspec
import pytest
from aiohttp import web
from yarl import URL

from dijkwacht_collector.console import add_console, pages
from dijkwacht_collector.console.refusals import OTHER_REASONS, REASONS, refusal
from dijkwacht_collector.sites.access import Operators
from dijkwacht_records.replies import Refusal

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def every_kind(of):
    """The errors of aiohttp that stand for one status."""
    for kind in of.__subclasses__():
        if kind.status_code > 0 and kind.__module__.startswith("aiohttp."):
            yield kind
        yield from every_kind(kind)


async def refused(asked):
    """The status and the reason of an answer that is a refusal in JSON."""
    answer = await asked
    assert answer.content_type == "application/json"
    body = msgspec.json.decode(await answer.read(), type=Refusal)
    assert body.message
    return answer.status, body.reason


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "english", "dutch"),
        [
            ("/incidents/nope", "There is no such incident", "Deze melding bestaat niet"),
            ("/nowhere", "There is no such page", "Deze pagina bestaat niet"),
            ("/static/nothing.css", "There is no such page", "Deze pagina bestaat niet"),
        ],
    )
    async def test_what_does_not_exist_is_a_page_with_a_way_back(
        self, client, path, english, dutch
    ):
        for language, title in (("en", english), ("nl", dutch)):
            answer = await client.get(f"{path}?lang={language}", headers=BROWSER)
            page = await answer.text()
            assert answer.status == 404
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert f'<html lang="{language}">' in page
            assert f"<h1>{title}</h1>" in page
            assert f'<a href="/?lang={language}">←' in page
            assert '<section class="headline error">' in page, "not the stripe of a quiet night"

    @pytest.mark.parametrize("path", ["/nowhere", "/incidents/nope", "/metrics/x", "/v1"])
    @pytest.mark.parametrize("accept", ["text/plain", "*/*"])
    async def test_a_program_gets_one_plain_line(self, client, path, accept):
        answer = await client.get(path, headers={"Accept": accept})
        assert (answer.status, answer.content_type) == (404, "text/plain")

    @pytest.mark.parametrize("path", ["/nowhere", "/incidents/nope", "/metrics/x", "/static/no.js"])
    async def test_a_program_that_asks_for_json_gets_it(self, client, path):
        for accept in ("application/json", "Application/JSON, text/plain;q=0.5, */*;q=0.1"):
            assert await refused(client.get(path, headers={"Accept": accept})) == (404, "not_found")

    @pytest.mark.parametrize("accept", ["*/*", "text/plain", BROWSER["Accept"]])
    async def test_below_v1_everybody_gets_json(self, client, accept):
        asked = client.get("/v1/nowhere", headers={"Accept": accept})
        assert await refused(asked) == (404, "not_found")

    async def test_who_asks_for_html_and_json_gets_a_page(self, client):
        headers = {"Accept": "text/html,application/json"}
        assert (await client.get("/nowhere", headers=headers)).content_type == "text/html"

    async def test_status_headers_and_own_sentences_are_kept(self, client, feed, monkeypatch):
        json = {"Accept": "application/json"}
        answer = await client.post("/", headers=json)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert (await answer.json())["reason"] == "method_not_allowed"
        answer = await client.get("/incidents/nope", headers=json)
        assert (await answer.json())["message"] == "There is no such incident."
        answer = await client.get("/", headers=json | {"Host": "evil.example"})
        assert (answer.status, (await answer.json())["reason"]) == (421, "wrong_host")
        monkeypatch.setattr(pages, "MAX_READERS", 0)
        answer = await client.get("/events", headers=json)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert (await answer.json())["reason"] == "busy"
        assert (await client.head("/nowhere", headers=json)).status == 404

    @pytest.mark.parametrize("kind", list(every_kind(web.HTTPError)))
    def test_every_error_has_a_reason_of_the_closed_set(self, kind):
        given = {
            web.HTTPMethodNotAllowed: ("PUT", ["GET"]),
            web.HTTPRequestEntityTooLarge: (1, 2),
            web.HTTPUnavailableForLegalReasons: (None,),
        }
        error = kind(*given.get(kind, ()))
        answer = refusal(error)
        found = msgspec.json.decode(answer.body, type=Refusal)
        assert answer.status == error.status
        closed = {reason for reason, _ in [*REASONS.values(), *OTHER_REASONS.values()]}
        assert found.reason in closed
        assert found.message
        assert str(error.status) not in found.message

    async def test_a_method_that_is_not_there_names_those_that_are(self, client):
        answer = await client.post("/?lang=nl", headers=BROWSER)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"
        assert "<h1>Dit mag niet</h1>" in await answer.text()

    @pytest.fixture
    def guarded(self, facts, feed):
        app = web.Application(middlewares=[Operators("secret").guard])
        add_console(app, facts, feed)
        return app

    async def test_what_another_middleware_refuses_is_a_page_too(self, guarded, aiohttp_client):
        client = await aiohttp_client(guarded)
        answer = await client.get("/?lang=en", headers=BROWSER)
        page = await answer.text()
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert "You have to sign in" in page
        assert "bakery" not in page

    @pytest.mark.parametrize(
        "path", ["//evil.example/x", "/%5Cevil.example", "/%22%3E%3Cscript%3E"]
    )
    async def test_an_address_of_a_strangers_making_is_in_no_link(self, client, path):
        asked = URL(str(client.make_url("")).rstrip("/") + path, encoded=True)
        answer = await client.session.get(asked, headers=BROWSER)
        assert answer.status == 404
        links = set(re.findall(r'<a [^>]*href="([^"]*)"', await answer.text()))
        assert links == {"#main", "/?lang=en", "/?lang=nl"}
