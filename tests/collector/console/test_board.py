"""The first page: the headline, what is open, who watches."""

import dataclasses
import re

from dijkwacht_collector.console import SiteView
from dijkwacht_collector.policy import NOT_RARE


async def get(client, path):
    answer = await client.get(path)
    assert answer.status == 200
    return await answer.text()


def headline_style(page):
    return re.search(r'<section class="headline ([a-z]+)">', page)[1]


def site_row(page, site):
    return re.search(rf'<tr><th scope="row"><bdi>{site}</bdi>.*?</tr>', page, re.DOTALL)[0]


async def test_low_incidents_are_context_and_never_cards(client, facts, make):
    facts.hold(make.incident(severity_id=2))
    page = await get(client, "/?lang=en")
    assert "All is quiet" in page
    assert 'class="card ' not in page
    assert "1 small thing noticed" in page


async def test_what_is_no_matter_of_chance_says_nothing_of_it(client, facts, make):
    facts.hold(make.incident(severity_id=2, rarity=NOT_RARE))
    page = await get(client, "/incidents/a1?lang=en")
    assert "on a site like this" not in page
    assert "Confidence" not in page
    assert "Technique" in page


async def test_the_headline_tells_an_absent_watch_from_a_quiet_night(client, facts, make):
    assert "All is quiet" in await get(client, "/?lang=en")
    assert headline_style(await get(client, "/?lang=en")) == "quiet"
    late = make.now_us - 2 * make.minute
    facts.health[0] = make.agent(last_seen=late)
    page = await get(client, "/?lang=en")
    assert "not every agent is up" in page
    assert headline_style(page) == "unwatched"
    facts.health = []
    page = await get(client, "/?lang=en")
    assert "Nobody watches yet" in page
    assert headline_style(page) == "unwatched"


async def test_a_collector_that_looks_at_nothing_says_so_in_the_readers_language(
    client, facts, make
):
    said = {
        "disk full": ("disk is full", "schijf van de verzamelaar is vol"),
        "too many open files": ("too many files open", "te veel bestanden open"),
        "failed": ("disk has failed", "schijf van de verzamelaar is stuk"),
        "not judged": ("has stopped judging", "beoordeelt niets meer"),
    }
    for trouble, words in said.items():
        facts.in_trouble = trouble
        for language, sentence in zip(("en", "nl"), words, strict=True):
            page = await get(client, f"/?lang={language}")
            assert sentence in re.search(r'<p class="trouble" role="alert">(.*?)</p>', page)[
                1
            ].replace("&#39;", "'")
            assert headline_style(page) == "unwatched"
    assert "niets nieuws bekeken" in re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]
    facts.hold(make.incident())
    assert 'class="trouble"' in await get(client, "/"), "beside an incident too"
    facts.in_trouble = ""
    assert 'class="trouble"' not in await get(client, "/")


async def test_a_site_that_nobody_watches_is_not_called_quiet(client, facts, make):
    facts.known_sites = [SiteView("bakery"), SiteView("clinic"), SiteView("garage")]
    facts.health = [make.agent(), make.agent("xray", site="clinic", last_seen=0)]
    page = await get(client, "/?lang=en")
    assert "No alarm, but nobody watches 2 sites" in page
    assert headline_style(page) == "unwatched"
    assert "nobody watches" not in site_row(page, "bakery")
    assert "quiet" in site_row(page, "bakery")
    assert "1 / 1</td>" in site_row(page, "bakery")
    assert "0 / 1</td>" in site_row(page, "clinic")
    for site in ("clinic", "garage"):
        assert '<span class="state unwatched">nobody watches</span>' in site_row(page, site)
        assert "quiet" not in site_row(page, site)
    assert page.index(">clinic<") < page.index(">garage<") < page.index(">bakery<")
    assert "onbewaakt" in site_row(await get(client, "/?lang=nl"), "clinic")

    facts.hold(make.incident(site="clinic"))
    page = await get(client, "/?lang=en")
    assert headline_style(page) == "high"
    assert "nobody watches 2 sites" in page
    assert "High" in site_row(page, "clinic")
    assert "nobody watches" in site_row(page, "clinic")


async def test_names_are_listed_as_people_count(client, facts, make):
    long = "9" * 5000
    names = ["site-10", "site-2", "site-1", f"site-{long}"]
    facts.known_sites = [SiteView(name) for name in names]
    facts.health = [make.agent(f"agent of {name}", site=name) for name in names]
    page = await get(client, "/?lang=en")
    for rows in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL):
        found = re.findall(r'<th scope="row"><bdi>.*?site-(\d+)</bdi>', rows)
        assert found == ["1", "2", "10", long]


async def test_lost_packets_and_a_full_spool_are_shown(client, facts, make):
    facts.health = [make.agent(packets_seen=1000, dropped=20, spool_bytes=3 * 1024 * 1024)]
    page = await get(client, "/?lang=en")
    assert "20 (2.00%)" in page
    assert "too many" in page
    assert "3.0 MB" in page


async def test_a_full_disk_is_said_in_plain_words(client, facts, make):
    facts.health = [make.agent("attic"), make.agent("till", disk_full=True)]
    page = await get(client, "/?lang=en")
    assert page.count("its disk is full; what does not fit is lost") == 1
    assert page.index("<bdi>till</bdi>") < page.index("<bdi>attic</bdi>"), "who is in trouble first"
    page = await get(client, "/?lang=nl")
    assert page.count("zijn schijf is vol; wat er niet bij past, gaat verloren") == 1


async def test_an_identity_that_two_machines_use_is_said_in_plain_words(client, facts, make):
    facts.health = [make.agent("attic"), make.agent("till", copies=1)]
    page = await get(client, "/?lang=en")
    assert page.count("two machines use its identity: was its disk copied?") == 1
    assert page.index("<bdi>till</bdi>") < page.index("<bdi>attic</bdi>"), "who is in trouble first"
    page = await get(client, "/?lang=nl")
    assert page.count("twee apparaten gebruiken zijn identiteit: is zijn schijf gekopieerd?") == 1


async def test_what_became_of_the_rows_adds_up_by_site(client, facts, make):
    facts.known_sites = [SiteView("clinic"), SiteView("bakery", rows_rejected=5), SiteView("idle")]
    facts.health = [
        make.agent("till", rows_made=1_203_456, rows_durable=1_203_000, rows_shed=6, rows_waiting=450),
        make.agent("office", rows_made=44, rows_durable=40, rows_shed=4),
        make.agent("xray", site="clinic", rows_made=7, rows_durable=8),
        make.agent("gone", site="idle", heard=False),
    ]  # fmt: skip
    page = await get(client, "/?lang=nl")
    rows = page[page.index('id="rows"') :]
    found = re.findall(r"<bdi>(.*?)</bdi></th>(.*?)</tr>", rows)
    assert [(site, re.findall(r">([\d.]+)<", cells)) for site, cells in found] == [
        ("bakery", ["1.203.500", "1.203.040", "10", "450", "5"]),
        ("clinic", ["7", "8", "0", "0", "0"]),
    ]
    facts.health = []
    assert 'id="rows"' not in await get(client, "/?lang=en")


async def test_a_thousand_sites_still_make_a_short_page(client, facts, make):
    facts.known_sites = [SiteView(f"site-{n}") for n in range(1000)]
    facts.health = [make.agent(f"agent-{n}", site=f"site-{n}") for n in range(1000)]
    facts.health[777] = dataclasses.replace(facts.health[777], last_seen=0)
    facts.hold(*(make.incident(f"i{n}", site=f"site-{n}") for n in range(500)))
    page = await get(client, "/?lang=en")
    assert len(page) < 300_000
    assert "agent-777" in page, "who is offline comes first"
    assert "and 400 more" in page


async def test_an_agent_that_never_sent_a_heartbeat_was_never_seen(client, facts, make):
    facts.health = [make.agent(last_seen=0, heard=False)]
    assert '<td class="seen">never</td>' in await get(client, "/?lang=en")
    assert '<td class="seen">nooit</td>' in await get(client, "/?lang=nl")


async def test_counts_of_an_agent_not_heard_since_the_start_are_not_made_up(client, facts, make):
    facts.health = [make.agent(packets_seen=0, heard=False)]
    page = await get(client, "/?lang=en")
    assert page.count(">–</td>") == 3


async def test_the_part_holds_the_board_alone(client, facts, make):
    facts.hold(make.incident())
    part = await get(client, "/parts/board?lang=nl")
    assert "<html" not in part
    assert "voelt aan de deuren" in part


async def test_who_is_gone_or_was_never_heard_is_listed_last_and_not_counted(client, facts, make):
    long_ago = make.now_us - 9000 * make.minute
    facts.health += [
        make.agent("ghost", last_seen=long_ago, heard=False, standing="removed"),
        make.agent("van", last_seen=long_ago, heard=False, standing="revoked"),
        make.agent("new", last_seen=0, heard=False, standing="never_heard"),
    ]
    page = await get(client, "/?lang=en")
    assert "All is quiet" in page
    assert "2 agents" in page
    assert "1 / 1" in site_row(page, "bakery")
    states = re.findall(r'class="state (\w+)"', page[page.index("agents-title") :])
    assert states == ["up", "up", "waited", "revoked", "removed"]
    facts.health = facts.health[2:]
    page = await get(client, "/?lang=en")
    assert "Nobody watches yet" in page
    assert "nobody watches" in site_row(page, "bakery")
