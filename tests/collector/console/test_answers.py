"""The owner's answer to an incident: given, shown, changed and taken back on its page."""

import base64
import re

import pytest

from dijkwacht_records.errors import CollectorBusy


async def get(client, path):
    answer = await client.get(path)
    assert answer.status == 200
    return await answer.text()


def buttons(page):
    return re.findall(r'<button name="verdict" value="(\w+)"', page)


class TestAnswer:
    async def post(self, client, verdict="normal", uid="a1", origin=None):
        return await client.post(
            f"/incidents/{uid}/verdict?lang=en",
            data={"verdict": verdict},
            headers={"Origin": origin or str(client.make_url("")).rstrip("/")},
            allow_redirects=False,
        )

    async def test_it_is_handed_on_and_said_back(self, client, facts, make):
        facts.hold(make.incident())
        for verdict, status, told, left in (
            (
                "normal",
                "this is normal",
                "For 30 days we report nothing of what is listed",
                ["attack", "undone"],
            ),
            ("attack", "this was an attack", "we report it again", ["normal", "undone"]),
            ("undone", None, "The answer is taken back", ["normal", "attack"]),
        ):
            answer = await self.post(client, verdict)
            assert answer.status == 303
            assert facts.answers[-1] == ("a1", verdict, "operator")
            page = await get(client, answer.headers["Location"])
            assert told in page
            assert buttons(page) == left
            said = re.search(r'<span class="status">(.*?)</span>', page)[1]
            assert said == (f"Answered: {status}" if status else "Over")
            assert "<bdi>operator</bdi>" in page
            assert ">3 minutes ago</time>" in page

    async def test_what_does_not_show_yet_is_being_noted_and_nothing_else(
        self, client, facts, make
    ):
        facts.hold(make.incident(status="normal", revision=4))
        facts.slow = True
        location = (await self.post(client, "attack")).headers["Location"]
        page = await get(client, location)
        assert "Your answer is being noted" in page
        assert 'http-equiv="refresh"' in page
        assert buttons(page) == []
        facts.obey()
        assert "we report it again" in await get(client, location)
        facts.hold(make.incident(status="normal", revision=6))
        page = await get(client, location)
        assert 'class="thanks' not in page, "somebody has changed it since"
        assert 'http-equiv="refresh"' not in page
        assert "Answered: this is normal" in page

    async def test_what_the_journal_cannot_take_now_is_said(self, client, facts, make, monkeypatch):
        async def busy(*_):
            raise CollectorBusy("the collector's disk is full", 10)

        facts.hold(make.incident())
        monkeypatch.setattr(facts, "answer", busy)
        answer = await client.post(
            "/incidents/a1/verdict?lang=nl",
            data={"verdict": "normal"},
            headers={"Origin": str(client.make_url("")).rstrip("/"), "Accept": "text/html"},
        )
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert "Op dit moment te druk" in await answer.text()

    @pytest.mark.parametrize("status", ["new", "closed", "normal", "confirmed"])
    async def test_the_page_says_what_is_in_force_whatever_was_answered(
        self, client, facts, make, status
    ):
        """Something may have been said of another incident of this machine since, or 30 days be over."""
        facts.hold(make.incident(status=status))
        page = await get(client, "/incidents/a1?lang=en")
        assert ("We report this about this machine again" in page) == (status == "normal")
        assert "We do not report this" not in page
        facts.until = make.now_us + 30 * 24 * 60 * make.minute
        page = await get(client, "/incidents/a1?lang=en")
        assert "We do not report this about this machine until 2026-10-21." in page
        assert "again: the 30 days" not in page
        assert "We melden dit over deze computer niet tot 2026-10-21." in await get(
            client, "/incidents/a1?lang=nl"
        )

    @pytest.mark.parametrize(
        ("given", "name"),
        [
            ("Basic " + base64.b64encode("Ján:secret".encode()).decode(), "Ján"),
            ("Basic " + base64.b64encode(b"\x1b[2J<b>:x").decode(), "[2J<b>"),
            ("Basic " + base64.b64encode(b"a" * 500 + b":x").decode(), "a" * 100),
            ("Basic " + base64.b64encode(b":secret").decode(), "operator"),
            ("Basic " + base64.b64encode(b"\xff:secret").decode(), "operator"),
            ("Basic no base64", "operator"),
            ("Bearer token", "operator"),
        ],
    )
    async def test_it_is_signed_with_the_name_that_was_given(
        self, client, facts, make, given, name
    ):
        facts.hold(make.incident())
        await client.post(
            "/incidents/a1/verdict",
            data={"verdict": "attack"},
            headers={"Origin": str(client.make_url("")).rstrip("/"), "Authorization": given},
        )
        assert facts.answers == [("a1", "attack", name)]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
    async def test_from_another_page_it_is_refused(self, client, facts, make, origin):
        facts.hold(make.incident())
        assert (await self.post(client, origin=origin)).status == 403
        assert facts.answers == []

    async def test_only_the_three_answers_exist(self, client, facts, make):
        facts.hold(make.incident())
        assert (await self.post(client, verdict="maybe")).status == 400

    async def test_an_unknown_incident_is_not_answered(self, client):
        assert (await self.post(client, uid="nope")).status == 404

    async def test_a_closed_incident_can_be_answered(self, client, facts, make):
        facts.hold(make.incident(status="closed"))
        assert buttons(await get(client, "/incidents/a1")) == ["normal", "attack"]
