"""Stories on the first page, on pages of their own, and on the pages of their incidents."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.console.data import Promise
from dijkwacht_collector.console.language import translations
from dijkwacht_collector.console.story_view import StoryReader
from dijkwacht_collector.console.view import Reader
from dijkwacht_collector.incidents import MOST_PARTS, Call, Part, Story

TOGETHER = "By itself each of these would be too little to call you; together they are not."


async def get(client, path):
    answer = await client.get(path)
    assert answer.status == 200
    return await answer.text()


def card(page, uid="s1"):
    """The card that links to a story."""
    (found,) = [c for c in re.findall(r'<li class="card .*?</li>', page, re.DOTALL) if uid in c]
    return found


def bars(page):
    """Of each row of the time line: the incident, whether it is this page's own, where it calls."""
    line = page[page.index('class="bars"') :].partition("</ol>")[0]
    return [
        (
            (re.search(r"/incidents/(\w+)\?", row) or [0, ""])[1],
            "aria-current" in row,
            re.findall(r'<circle cx="([\d.]+)%"', row),
        )
        for row in re.findall(r"<li.*?</li>", line, re.DOTALL)
    ]


@pytest.fixture
def findings(make):
    """A scan that called, guesses, and a tunnel: one machine's afternoon."""
    end = make.now_us
    told = (
        ("a1", "scan", "knocks on ports", 100, 90, 3),
        ("a2", "bruteforce", "guesses passwords", 80, 60, 4),
        ("a3", "dns", "hides data in names", 50, 0, 2),
    )
    return [
        make.incident(
            uid, kind=kind, detector=kind, title_en=title, title_nl=f"NL {title}", severity_id=severity,
            start=end - begin * make.minute, end=end - over * make.minute, story="s1", desc_en=f"It {title}.",
        )
        for uid, kind, title, begin, over, severity in told
    ]  # fmt: skip


async def test_a_story_that_interrupted_is_one_card(client, facts, make, findings):
    facts.hold(*findings)
    facts.tell(make.story(*findings, called={"a1"}))
    page = await get(client, "/?lang=en")
    assert "1 story asks for attention" in page
    assert page.count('<li class="card ') == 1
    shown = card(page)
    assert 'href="/stories/s1?lang=en"' in shown
    assert "guesses passwords" in shown, "it is called by its gravest finding"
    assert "and 2 more" in shown
    tags = re.findall(r'class="tag">(.*?)<', shown)
    assert tags == ["Scan", "Password guessing", "Misuse of DNS"]
    for text in ("10.0.0.7", "bakery", "1 hour ago", "just now", "once"):
        assert text in shown
    shown = card(await get(client, "/?lang=nl"))
    for text in ("NL guesses passwords", "en nog 2", "Wachtwoorden raden", "één keer"):
        assert text in shown


async def test_a_story_that_interrupted_nobody_is_context(client, facts, make, findings):
    facts.tell(make.story(*findings))
    page = await get(client, "/?lang=en")
    assert "All is quiet" in page
    assert '<li class="card ' not in page
    assert "1 small thing noticed" in page
    folded = page[page.index('id="context"') :].partition("</details>")[0]
    assert 'href="/stories/s1?lang=en"' in folded
    assert "and 2 more" in folded


async def test_how_often_it_called_is_said(client, facts, make, findings):
    facts.tell(make.story(*findings, called={"a1", "a2"}))
    assert "2 times" in card(await get(client, "/?lang=en"))
    assert "We called you 2 times for it." in await get(client, "/stories/s1?lang=en")


async def test_only_open_stories_are_on_the_first_page(client, facts, make):
    for status in ("closed", "normal", "confirmed"):
        facts.tell(make.story(called={"a1"}, status=status))
        assert "All is quiet" in await get(client, "/?lang=en")


async def test_an_incident_of_before_has_its_card_and_its_page(client, facts, make):
    facts.hold(make.incident("old", severity_id=3), make.incident("a1", story="s1"))
    facts.tell(make.story(called={"a1"}))
    page = await get(client, "/?lang=en")
    assert "2 stories ask for attention" in page
    assert 'href="/incidents/old?lang=en"' in card(page, "old")
    own = await get(client, "/incidents/old?lang=en")
    assert "The whole story" not in own
    assert 'class="bars"' not in own


async def test_its_page_tells_it_in_order_and_says_where_it_called(client, facts, make, findings):
    facts.hold(*findings)
    facts.tell(make.story(*findings, called={"a1", "a2"}))
    page = await get(client, "/stories/s1?lang=en")
    assert bars(page) == [("a1", False, ["0.0"]), ("a2", False, ["20.0"]), ("a3", False, [])]
    assert re.findall(r'<rect x="([\d.]+)%" y="4" width="([\d.]+)%"', page) == [
        ("0.0", "10.0"),
        ("20.0", "20.0"),
        ("50.0", "50.0"),
    ]
    called = page[page.index('class="called"') :].partition("</ul>")[0]
    assert called.index("knocks on ports") < called.index("guesses passwords")
    assert "Besides this, 2 other things stood out at the same machine" in page
    # The sections of the findings: the gravest first, each with its own page and its advice.
    sections = re.findall(r'<h3 id="finding-(\w+)">', page)
    assert sections == ["a2", "a1", "a3"]
    assert page.count("It guesses passwords.") == 1, "that is the advice above"
    for uid, text in (("a1", "It knocks on ports."), ("a3", "It hides data in names.")):
        assert f'href="/incidents/{uid}?lang=en"' in page
        assert text in page
    dutch = await get(client, "/stories/s1?lang=nl")
    assert "Daarnaast vielen nog 2 andere dingen op bij dezelfde computer" in dutch


async def test_findings_that_went_on_are_shown_as_they_stand(client, facts, make, findings):
    """A story is not told again at every step of its findings."""
    facts.tell(make.story(*findings, called={"a1"}))
    stands = msgspec.structs.replace(
        findings[1], title_en="guesses still", desc_en="", end=make.now_us + 100 * make.minute
    )
    facts.hold(findings[0], stands, findings[2])
    for path in ("/", "/stories/s1", "/incidents/a1"):
        page = await get(client, f"{path}?lang=en")
        assert "guesses still" in page
        assert "guesses passwords" not in page
    assert re.findall(r'<rect x="([\d.]+)%" y="4" width="([\d.]+)%"', page)[1] == ("10.0", "90.0")


async def test_what_is_enough_only_together_is_said_in_plain_words(client, facts, make, findings):
    facts.hold(*findings)
    facts.tell(make.story(*findings, called={"a1"}))
    assert TOGETHER not in await get(client, "/stories/s1?lang=en")
    facts.tell(make.story(*findings, called={"a1"}, by="fusion"))
    for path in ("/stories/s1", "/incidents/a2"):
        page = await get(client, f"{path}?lang=en")
        assert page.count(TOGETHER) == 1
        assert "fusion" not in page
        assert "samen zijn ze dat niet" in await get(client, f"{path}?lang=nl")
    for path in ("/", "/parts/board"):
        assert "fusion" not in await get(client, f"{path}?lang=en")


async def test_what_called_alone_and_then_with_others_is_told_apart(client, facts, make, findings):
    alone = make.story(*findings, called={"a1"}).calls
    together = make.story(*findings, called={"a3"}, by="fusion").calls
    facts.hold(*findings)
    facts.tell(make.story(*findings, calls=(*alone, *together)))
    for path in ("/stories/s1", "/incidents/a2"):
        page = await get(client, f"{path}?lang=en")
        assert TOGETHER not in page, "one of them was enough"
        assert page.count("By itself this was too little to call you") == 1
        assert "Dit alleen was te weinig" in await get(client, f"{path}?lang=nl")


async def test_an_incident_is_marked_on_the_line_of_its_story(client, facts, make, findings):
    facts.hold(*findings)
    facts.tell(make.story(*findings, called={"a1"}))
    page = await get(client, "/incidents/a2?lang=en")
    assert bars(page) == [("a1", False, ["0.0"]), ("", True, []), ("a3", False, [])]
    assert 'href="/stories/s1?lang=en"' in page
    assert "This is about this finding alone; 2 others belong to the same story." in page


async def test_a_story_of_one_finding_says_nothing_of_others(client, facts, make):
    facts.hold(make.incident(story="s1"))
    facts.tell(make.story(called={"a1"}))
    page = await get(client, "/stories/s1?lang=en")
    assert "This is about one machine" in page
    assert "What was found</h2>" in page
    assert "belong to the same story" not in await get(client, "/incidents/a1?lang=en")


async def test_several_machines_are_named_as_such(client, facts, make, findings):
    facts.hold(*findings)
    facts.tell(make.story(*findings, called={"a1"}, machine="", more=9))
    assert "several" in card(await get(client, "/?lang=en"))
    page = await get(client, "/stories/s1?lang=en")
    assert "Several machines stood out at about the same time." in page
    assert "and 9 more" in page


async def test_findings_that_are_not_kept_any_more_break_nothing(client, facts, make, findings):
    facts.tell(make.story(*findings, called={"a1"}))
    page = await get(client, "/stories/s1?lang=en")
    assert "Its findings are not kept any more." in page
    assert len(bars(page)) == 3
    facts.hold(make.incident(story="gone"))
    assert 'class="bars"' not in await get(client, "/incidents/a1?lang=en")


@pytest.mark.parametrize(
    ("promise", "english", "dutch"),
    [
        (Promise(), "0 calls in the last 7 days; promised: on average at most 1 a week without cause",
         "0 oproepen in de laatste 7 dagen; beloofd: gemiddeld hooguit 1 per week zonder reden"),
        (Promise(1, 0.5), "1 call in the last 7 days; promised: on average at most 0.5 a week without cause",
         "1 oproep in de laatste 7 dagen; beloofd: gemiddeld hooguit 0,5 per week zonder reden"),
        (Promise(2, 0.0), "2 calls in the last 7 days; you chose to have none",
         "2 oproepen in de laatste 7 dagen; u koos voor geen enkele"),
    ],
)  # fmt: skip
async def test_what_was_promised_stands_beside_what_happened(
    client, facts, promise, english, dutch
):
    facts.promises["clinic"] = promise
    for language, sentence in (("en", english), ("nl", dutch)):
        page = await get(client, f"/?lang={language}")
        row = re.search(r'<tr><th scope="row"><bdi>clinic</bdi>.*?</tr>', page, re.DOTALL)[0]
        assert f'<td class="promise">{sentence}</td>' in row


async def test_a_story_whose_findings_went_on_in_another_leads_there(client, facts, make):
    moved = make.incident("a1", story="s2")
    facts.hold(moved)
    facts.tell(make.story(moved, uid="s1", status="closed"), make.story(moved, uid="s2"))
    page = await get(client, "/stories/s1?lang=en")
    assert 'It went on as part of another story. <a href="/stories/s2?lang=en">' in page
    assert "not rare enough" not in page
    assert 'class="answer"' not in page, "an answer here would be about nothing"
    assert "een ander voorval" in await get(client, "/stories/s1?lang=nl")
    page = await get(client, "/stories/s2?lang=en")
    assert "another story" not in page
    assert 'class="answer"' in page
    facts.tell(make.story(moved, uid="s1", status="normal"))
    assert 'value="undone"' in await get(client, "/stories/s1?lang=en")


class TestAnswer:
    async def post(self, client, verdict, uid="s1", origin=None):
        return await client.post(
            f"/stories/{uid}/verdict?lang=en",
            data={"verdict": verdict},
            headers={"Origin": origin or str(client.make_url("")).rstrip("/")},
            allow_redirects=False,
        )

    async def test_it_is_for_the_whole_story_and_said_back(self, client, facts, make, findings):
        facts.hold(*findings)
        facts.tell(make.story(*findings, called={"a1"}))
        for verdict, told, left in (
            ("normal", "For 30 days we report nothing of what is listed below", ["attack", "undone"]),
            ("attack", "we report it again", ["normal", "undone"]),
            ("undone", "The answer is taken back", ["normal", "attack"]),
        ):  # fmt: skip
            answer = await self.post(client, verdict)
            assert answer.status == 303
            assert answer.headers["Location"].startswith("/stories/s1?")
            assert facts.answers[-1] == ("s1", verdict, "operator")
            page = await get(client, answer.headers["Location"])
            assert told in page
            assert re.findall(r'<button name="verdict" value="(\w+)"', page) == left
            assert "<bdi>operator</bdi>" in page

    async def test_a_finding_says_whose_answer_it_shows(self, client, facts, make, findings):
        whole = "The whole story is answered so."
        alone = "This is about this finding alone; 2 others belong to the same story."
        facts.hold(*findings)
        facts.tell(make.story(*findings, called={"a1"}))
        facts.hold(make.incident("a1", story="s1", status="normal"))
        page = await get(client, "/incidents/a1?lang=en")
        assert (whole in page, alone in page) == (False, True)
        facts.tell(make.story(*findings, called={"a1"}, status="normal"))
        page = await get(client, "/incidents/a1?lang=en")
        assert (whole in page, alone in page) == (True, False)
        assert "Zo is het hele voorval beantwoord." in await get(client, "/incidents/a1?lang=nl")

    async def test_the_page_says_beforehand_what_normal_exempts(
        self, client, facts, make, findings
    ):
        again = make.incident("a4", story="s1")  # of the class and subject of the first
        facts.hold(*findings, again)
        facts.tell(make.story(*findings, again, called={"a1"}))
        page = await get(client, "/stories/s1?lang=en")
        listed = page[page.index('class="exempting"') :].partition("</ul>")[0]
        assert re.findall(r"<bdi>(.*?)</bdi>", listed) == [
            "Scan · ~10.0.0.7",
            "Password guessing · ~10.0.0.7",
            "Misuse of DNS · ~10.0.0.7",
        ]
        assert "Anything else is reported as before. If it was an attack, everything is." in page

    async def test_a_long_list_of_what_normal_exempts_is_cut_and_counted(self, client, facts, make):
        many = [make.incident(f"m{n}", story="s1", subject=f"10.0.1.{n}") for n in range(30)]
        facts.hold(*many)
        facts.tell(make.story(*many, called={"m0"}))
        page = await get(client, "/stories/s1?lang=en")
        listed = page[page.index('class="exempting"') :].partition("</ul>")[0]
        assert listed.count("<bdi>") == 20
        assert "and 10 more" in listed

    async def test_what_does_not_show_yet_is_being_noted(self, client, facts, make):
        facts.tell(make.story(called={"a1"}))
        facts.slow = True
        location = (await self.post(client, "attack")).headers["Location"]
        page = await get(client, location)
        assert "Your answer is being noted" in page
        assert "<form" not in page
        facts.obey()
        assert "Answered: this was an attack" in await get(client, location)

    @pytest.mark.parametrize(
        ("part", "story", "told"),
        [
            ("normal", "new", "Something of it was answered by"),
            ("confirmed", "closed", "Something of it was answered by"),
            ("closed", "closed", "An answer was taken back by"),
            ("normal", "normal", "By"),
        ],
    )
    async def test_whose_word_it_is_and_about_what(self, client, facts, make, part, story, told):
        finding = make.incident(story="s1", status=part)
        facts.hold(finding)
        said = {"status": story, "answered": make.now_us, "answered_by": "Jan"}
        facts.tell(make.story(finding, **said))
        page = await get(client, "/stories/s1?lang=en")
        assert f"{told} <bdi>Jan</bdi>" in page

    async def test_from_another_page_or_about_nothing_it_is_refused(self, client, facts, make):
        facts.tell(make.story())
        answer = await self.post(client, "normal", origin="https://evil.example")
        assert answer.status == 403
        assert (await self.post(client, "maybe")).status == 400
        assert (await self.post(client, "normal", uid="nope")).status == 404
        assert facts.answers == []


async def test_there_is_no_such_story(client):
    for language, words in (("en", "There is no such story"), ("nl", "Dit voorval bestaat niet")):
        answer = await client.get(f"/stories/nope?lang={language}", headers={"Accept": "text/html"})
        assert answer.status == 404
        assert words in await answer.text()


TIMES = st.integers(-(1 << 62), 1 << 62)


@st.composite
def stories(draw):
    parts = tuple(
        Part(
            f"i{number}", draw(st.text(max_size=9)), "d", "T1046", draw(st.text()), draw(st.text()),
            draw(st.integers(0, 6)), 0.1, draw(TIMES), draw(TIMES),
        )
        for number in range(draw(st.integers(1, MOST_PARTS)))
    )  # fmt: skip
    calls = tuple(
        Call(draw(TIMES), "scan", "scan", f"i{draw(st.integers(0, MOST_PARTS))}")
        for _ in range(draw(st.integers(0, 2)))
    )
    return Story("s", "site", draw(st.text()), draw(TIMES), draw(TIMES), parts, 3, calls)


@given(stories())
def test_every_mark_is_on_the_line(story):
    line = StoryReader(Reader("nl", translations("nl"), 0)).time_line(story)
    assert len(line.bars) == len(story.parts)
    assert len(line.calls) == len(story.calls)
    for bar in line.bars:
        assert bar.begin >= 0
        assert bar.width > 1
        assert bar.begin + bar.width < 100.1
        assert all(0 <= at <= 100 for at in bar.calls)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=2, max_size=6))
def test_what_began_later_is_further_on(spans):
    spans = sorted((min(span), max(span)) for span in spans)
    part = Part("i", "scan", "scan", "T1046", "t", "t", 3, 0.1, 0, 0)
    parts = tuple(msgspec.structs.replace(part, start=a, end=b) for a, b in spans)
    story = Story("s", "site", "m", spans[0][0], max(b for _, b in spans), parts, 3)
    line = StoryReader(Reader("en", translations("en"), 0)).time_line(story)
    begins = [bar.begin for bar in line.bars]
    assert begins == sorted(begins)
