"""What a browser gets instead of a page, and what a program gets."""

import re

import pytest
from aiohttp import web
from yarl import URL

from dijkwacht_collector.console import add_console
from dijkwacht_collector.sites.access import Operators

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


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

    @pytest.mark.parametrize("path", ["/nowhere", "/incidents/nope", "/v1/nowhere", "/metrics/x"])
    @pytest.mark.parametrize("accept", ["application/json", "*/*"])
    async def test_a_program_gets_one_plain_line(self, client, path, accept):
        answer = await client.get(path, headers={"Accept": accept})
        assert (answer.status, answer.content_type) == (404, "text/plain")

    async def test_below_v1_a_browser_gets_the_plain_line_too(self, client):
        answer = await client.get("/v1/nowhere", headers=BROWSER)
        assert (answer.status, answer.content_type) == (404, "text/plain")

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
