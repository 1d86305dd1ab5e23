import asyncio
import re
from html.parser import HTMLParser

import msgspec
import pytest
from aiohttp import web

from dijkwacht_collector.console import SiteView, add_console
from dijkwacht_records.addresses import pack_address

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202eevil"


class Outline(HTMLParser):
    """Tags and attributes of a page, and the text of it."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def outline(page):
    parser = Outline()
    parser.feed(page)
    return parser


async def get(client, path, **headers):
    answer = await client.get(path, headers=headers)
    assert answer.status == 200
    return await answer.text()


async def test_an_open_story_is_named_with_class_machine_site_and_time(client, facts, make):
    facts.tell(make.story(called={"a1"}))
    page = await get(client, "/?lang=en")
    for text in ("High", "Scan", "tries the doors", "10.0.0.7", "bakery", "9 minutes ago"):
        assert text in page


async def test_an_incident_is_named_with_hosts_and_technique(client, facts, make):
    facts.hold(make.incident())
    page = await get(client, "/incidents/a1?lang=en")
    for text in ("High", "Scan", "tries the doors", "10.0.0.7", "10.0.0.2", "T1046", "bakery"):
        assert text in page


async def test_each_reader_gets_their_language(client, facts, make):
    facts.hold(make.incident())
    dutch = await get(client, "/", **{"Accept-Language": "nl-NL,nl;q=0.9,en;q=0.5"})
    assert '<html lang="nl">' in dutch
    assert "voelt aan de deuren" in dutch
    assert "9 minuten geleden" in dutch
    english = await get(client, "/", **{"Accept-Language": "fr"})
    assert '<html lang="en">' in english
    asked = await get(client, "/?lang=en", **{"Accept-Language": "nl"})
    assert '<html lang="en">' in asked


async def test_the_language_asked_for_is_remembered(client):
    await get(client, "/?lang=nl")
    assert '<html lang="nl">' in await get(client, "/", **{"Accept-Language": "en"})


async def test_names_from_the_network_are_only_text(client, facts, make):
    evidence = make.incident().evidences[0]
    hostile = (msgspec.structs.replace(evidence, name=HOSTILE, facts={HOSTILE: 1.0}),)
    facts.hold(
        make.incident(
            "x1", site=HOSTILE, title_en=HOSTILE, desc_en=HOSTILE, technique=HOSTILE,
            detector=HOSTILE, kind=HOSTILE, evidences=hostile, subject=HOSTILE, story="s1",
        )
    )  # fmt: skip
    story = make.story(facts.incident("x1"), called={"x1"}, machine=HOSTILE, answered=1)
    facts.tell(msgspec.structs.replace(story, answered_by=HOSTILE))
    facts.known_sites = [SiteView(HOSTILE)]
    facts.health = [make.agent(HOSTILE, site=HOSTILE)]
    for path in ("/?lang=en", "/incidents/x1?lang=en", "/stories/s1?lang=en"):
        page = await get(client, path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        scripts = [attrs for tag, attrs in outline(page).tags if tag == "script"]
        assert scripts == [{"src": "/static/console.js", "defer": None}]
    # A right-to-left override in a title must not turn the page around it.
    assert re.search(r"<h1><bdi>.*evil</bdi></h1>", await get(client, "/incidents/x1"), re.DOTALL)


async def test_nothing_is_fetched_from_elsewhere_and_nothing_runs_inline(client, facts, make):
    facts.hold(make.incident(story="s1"))
    facts.tell(make.story(called={"a1"}))
    for path in ("/", "/incidents/a1", "/stories/s1"):
        answer = await client.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        for _tag, attrs in outline(await answer.text()).tags:
            assert "style" not in attrs
            assert not [name for name in attrs if name.startswith("on")]
            for name in ("src", "href", "action"):
                assert attrs.get(name, "/").startswith(("/", "#"))
    for name in ("console.css", "console.js", "mark.svg"):
        text = await get(client, f"/static/{name}")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", text)


async def test_severity_and_state_are_words_beside_colours(client, facts, make):
    facts.hold(*(make.incident(f"s{n}", severity_id=n) for n in (2, 3, 4, 5)))
    facts.health = [
        make.agent("a"),
        make.agent("b", last_seen=make.now_us - 2 * make.minute),
        make.agent("c", last_seen=make.now_us - 60 * make.minute),
    ]
    text = " ".join(outline(await get(client, "/?lang=en")).text)
    for word in ("Low", "Medium", "High", "Critical", "Up", "Late", "Offline"):
        assert re.search(rf"\b{word}\b", text)


async def test_the_incident_page_explains_and_advises(client, facts, make):
    facts.hold(make.incident())
    page = await get(client, "/incidents/a1?lang=en")
    for text in (
        "998 different ports",
        "00:1b:21:00:00:07",
        "443",
    ):
        assert text in page
    assert "refused ratio" in page


async def test_facts_and_numbers_are_in_the_readers_language(client, facts, make):
    evidence = msgspec.structs.replace(
        make.incident().evidences[0], facts={"failed_targets": 1204.0, "failed_share": 0.991}
    )
    facts.hold(make.incident(evidences=(evidence,), count=12_345))
    facts.health = [make.agent(packets_seen=1000, dropped=20, spool_bytes=3 * 1024 * 1024)]
    dutch = await get(client, "/incidents/a1?lang=nl")
    assert '<span class="muted">geweigerde of onbeantwoorde poorten</span> 1.204<' in dutch
    assert '<span class="muted">deel dat mislukte</span> 0,991<' in dutch
    for number in (">7,25<", ">12.345<"):
        assert number in dutch
    english = await get(client, "/incidents/a1?lang=en")
    for text in ("refused or unanswered ports</span> 1,204<", " 0.991<", ">12,345<"):
        assert text in english
    board = await get(client, "/?lang=nl")
    assert "20 (2,00%)" in board
    assert "3,0 MB" in board


async def test_a_metric_of_a_machine_is_called_by_a_plain_word(client, facts, make):
    evidence = msgspec.structs.replace(make.incident().evidences[0], name="cpu_ratio")
    told = {
        "title_en": "A machine works hard: cpu_ratio stays at 0.98.",
        "title_nl": "Een computer werkt hard: memory_used_ratio blijft op 0,98.",
        "evidences": (evidence,),
    }
    facts.hold(make.incident(kind="host", **told))
    page = await get(client, "/incidents/a1?lang=en")
    assert "A machine works hard: processor stays at 0.98." in page
    assert ">Processor</bdi>" in page
    assert "cpu_ratio" not in page
    assert "geheugen blijft op 0,98" in await get(client, "/?lang=nl")
    # A name that somebody looked up is no metric, whatever it looks like.
    facts.hold(make.incident(kind="dns", **told))
    page = await get(client, "/incidents/a1?lang=en")
    assert "cpu_ratio stays" in page
    assert ">cpu_ratio</bdi>" in page


def buttons(page):
    return re.findall(r'<button name="verdict" value="(\w+)"', page)


async def test_an_answer_stays_on_its_page(client, facts, make):
    facts.hold(make.incident(status="confirmed"))
    assert "Answered: this was an attack" in await get(client, "/incidents/a1?lang=en")
    page = await get(client, "/incidents/a1?lang=nl")
    assert "Beantwoord: dit was een aanval" in page
    assert buttons(page) == ["normal", "undone"], "it can be changed and taken back"


@pytest.mark.parametrize(
    ("language", "begin"),
    [("en", "dijkwacht site add NAME"), ("nl", "dijkwacht site add NAAM")],
)
async def test_an_empty_console_says_how_to_begin(client, facts, language, begin):
    assert "site add" not in await get(client, f"/?lang={language}")
    facts.known_sites, facts.health = [], []
    page = await get(client, f"/?lang={language}")
    assert f"<code>{begin}</code>" in page
    assert "all up" not in page
    assert "alle actief" not in page


@pytest.mark.parametrize("kind", ["dhcp", "a class of tomorrow"])
async def test_every_class_has_a_page(client, facts, make, kind):
    facts.hold(make.incident(kind=kind, severity_id=1, evidences=()))
    assert "What it means, and what to do" in await get(client, "/incidents/a1?lang=en")


async def test_what_is_months_ago_has_a_date(client, facts, make):
    days = 24 * 60 * make.minute
    facts.hold(make.incident(start=make.now_us - 847 * days, end=make.now_us - 59 * days))
    page = await get(client, "/incidents/a1?lang=en")
    assert ">2024-05-27</time>" in page
    assert ">59 days ago</time>" in page
    assert ">2024-05-27 14:13:20 UTC</span>" in page, "the exact time is on the page too"


async def test_times_that_no_clock_shows_do_not_break_a_page(client, facts, make):
    facts.hold(make.incident(start=-(1 << 62), end=1 << 62, story="s1"))
    facts.tell(make.story(facts.incident("a1"), called={"a1"}))
    for path in ("/", "/incidents/a1", "/stories/s1"):
        await get(client, path)


async def test_a_name_pointed_at_this_machine_reads_nothing(client):
    for path in ("/", "/incidents/a1", "/stories/s1", "/events", "/parts/board"):
        answer = await client.get(path, headers={"Host": "evil.example:8470"})
        assert answer.status == 421
    for host in ("localhost:8470", "[::1]:8470", "192.0.2.4"):
        assert (await client.get("/", headers={"Host": host})).status == 200


async def test_a_title_as_long_as_a_hostile_name_is_cut(client, facts, make):
    facts.hold(make.incident(title_en="moves data in " + "x" * 1000, story="s1"))
    facts.tell(make.story(facts.incident("a1"), called={"a1"}))
    for path in ("/?lang=en", "/incidents/a1?lang=en", "/stories/s1?lang=en"):
        assert "x" * 161 not in await get(client, path)


async def test_many_hosts_are_counted_not_listed(client, facts, make):
    evidence = make.incident().evidences[0]
    evidences = tuple(
        msgspec.structs.replace(evidence, dst_h=pack_address(f"10.0.0.{n}")) for n in range(1, 6)
    )
    facts.hold(make.incident(evidences=evidences))
    assert "10.0.0.1 and 4 others" in await get(client, "/incidents/a1?lang=en")


async def test_static_gives_only_what_is_ours(client):
    assert (await client.get("/static/..%2fpages.py")).status == 404
    assert (await client.get("/static/pages.py")).status == 404


def test_the_console_is_added_without_a_running_loop(facts, feed):
    add_console(web.Application(), facts, feed)


@pytest.mark.parametrize(
    ("weekly", "english"),
    [
        (12.2, "12 times a week"),
        (1.0, "once a week"),
        (0.1, "once in 10 weeks"),
        (0.019, "once a year"),
        (0.002, "once in 10 years"),
        (1e-6, "less than once in a century"),
        (0.0, "less than once in a century"),
    ],
)
async def test_chance_is_said_in_words(client, facts, make, weekly, english):
    facts.hold(make.incident(rarity=weekly))
    assert f"{english} on a site like this" in await get(client, "/incidents/a1?lang=en")


async def test_who_pretends_is_the_hardware_not_the_name_it_takes(client, facts, make):
    facts.hold(make.incident(kind="arp", subject="00:1b:21:00:00:07"))
    page = await get(client, "/incidents/a1?lang=en")
    who = page.partition("<dt>Who</dt>")[2].partition("</dd>")[0]
    assert "00:1b:21:00:00:07" in who
    assert "10.0.0.7" not in who


async def test_a_browser_that_goes_away_is_no_error(client, feed, make, caplog):
    answer = await client.get("/events")
    await answer.content.readline()
    answer.close()
    for number in range(200):  # until the server has noticed
        feed.publish(make.event(position=number))
        await asyncio.sleep(0)
        if not feed.readers:
            break
    assert "Error handling request" not in caplog.text
