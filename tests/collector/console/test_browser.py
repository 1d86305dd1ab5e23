"""The console in a real browser, spoken to by the DevTools protocol."""

import itertools

import pytest

from dijkwacht_collector.console.data import Normal
from dijkwacht_collector.incidents import Ends, Exempted

pytestmark = pytest.mark.tools("chromium")


async def test_a_story_appears_without_a_reload(page, client, facts, feed, make):
    await page.open(client.make_url("/?lang=en"))
    await page.wait_for("document.querySelector('#live:not([hidden]):not(.off)')")
    assert await page.ask("document.querySelector('h1').innerText") == "All is quiet"
    await page.ask("window.sameDocument = true")
    news = "document.getElementById('news').textContent"

    facts.tell(make.story())
    feed.publish(make.story_event(make.story()))
    await page.wait_for("document.querySelector('#context')")
    assert await page.ask(news) == "", "what is context is said to nobody"

    facts.tell(make.story(called={"a1"}))
    feed.publish(make.story_event(activity="update"))
    await page.wait_for("document.querySelector('.card.high')")
    assert await page.ask("window.sameDocument") is True
    assert "1 story asks" in await page.ask("document.querySelector('h1').innerText")
    assert "tries the doors" in await page.ask("document.querySelector('.card h3').innerText")
    assert "tries the doors" in await page.ask(news)
    assert await page.ask("document.title") == "(1) Dijkwacht"

    # What only went on is no news; that it is over is.
    await page.ask("document.getElementById('news').textContent = ''")
    feed.publish(make.story_event(activity="update"))
    facts.tell(make.story(called={"a1"}, status="closed"))
    feed.publish(make.story_event(activity="close"))
    await page.wait_for("document.querySelector('h1').innerText === 'All is quiet'")
    assert (await page.ask(news)).startswith("This is over:")
    assert page.said == [], "nothing was thrown, logged or refused by the content policy"
    assert (await page.picture()).startswith(b"\x89PNG")


async def test_a_hostile_name_runs_nothing(page, client, facts, feed, make):
    hostile = "<img src=x onerror='window.owned=1'><script>window.owned=2</script>"
    await page.open(client.make_url("/?lang=nl"))
    await page.wait_for("document.querySelector('#live:not([hidden]):not(.off)')")
    incident = make.incident(title_nl=hostile, site=hostile, story="s1")
    story = make.story(incident, called={"a1"}, machine=hostile)
    facts.hold(incident)
    facts.tell(story)
    feed.publish(make.story_event(story))
    await page.wait_for("document.querySelector('.card')")
    assert await page.ask("document.querySelector('.card h3').textContent") == hostile
    assert await page.ask("document.querySelectorAll('.card img, .card script').length") == 0
    facts.hold(make.incident("named", status="normal", answered=1, answered_by=hostile))
    await page.open(client.make_url("/incidents/named?lang=en"))
    assert await page.ask("document.querySelector('.answer .by bdi').textContent") == hostile
    assert await page.ask("document.querySelectorAll('main img, main script').length") == 0
    await page.open(client.make_url("/stories/s1?lang=nl"))
    assert await page.ask("document.querySelector('.bars a').textContent") == hostile
    assert await page.ask("document.querySelectorAll('main img, main script').length") == 0
    assert await page.ask("typeof window.owned") == "undefined"
    assert page.said == []


async def test_a_lost_stream_is_said_in_words_and_found_again(page, client, feed):
    await page.open(client.make_url("/?lang=en"))
    await page.wait_for("document.getElementById('live-word').textContent === 'Live'")
    feed.close()
    await page.wait_for("document.getElementById('live-word').textContent === 'Reconnecting…'")
    await page.wait_for("document.getElementById('live-word').textContent === 'Live'")


async def test_without_javascript_an_answer_is_given(page, client, facts, make):
    facts.hold(make.incident())
    await page.open(client.make_url("/?lang=en"))
    link = await page.ask("document.querySelector('.card h3 a').href")
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.call("Page.navigate", url=link)
    await page.wait_for("document.querySelector('button[value=normal]')")
    assert await page.ask("typeof showClocks") == "undefined", "the script did not run"
    await page.ask("document.querySelector('button[value=normal]').click()")
    await page.wait_for("document.querySelector('.thanks')")
    assert facts.answers == [("a1", "normal", "operator")]
    await page.wait_for("document.querySelector('button[value=attack]')")
    await page.ask("document.querySelector('button[value=attack]').click()")
    changed = "Answered: this was an attack"
    for told in (".status", ".answer h2"):
        await page.wait_for(f"document.querySelector('{told}')?.textContent === '{changed}'")


async def test_without_javascript_a_story_is_read_and_answered(page, client, facts, make):
    facts.hold(make.incident(story="s1"))
    facts.tell(make.story(called={"a1"}))
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(client.make_url("/incidents/a1?lang=en"))
    await page.ask("document.querySelector('.back a:last-child').click()")
    await page.wait_for("document.querySelector('button[value=attack]')")
    await page.wait_for("document.querySelector('.bars circle')")
    # Bars lie beside what they are about, however wide the page is.
    widths = "[...document.querySelectorAll('.bar rect')].map(e => e.getBoundingClientRect().width)"
    assert min(await page.ask(widths)) > 3
    await page.ask("document.querySelector('button[value=attack]').click()")
    await page.wait_for("document.querySelector('.thanks')")
    assert facts.answers == [("s1", "attack", "operator")]
    assert page.said == []


async def test_without_javascript_an_answer_is_tried_given_and_taken_back_on_the_list(
    page, client, facts, make
):
    """The form says what it would have kept silent before anybody presses the button."""
    ends = (Ends("10.0.0.7", "203.0.113.7"),)
    facts.hold(
        make.incident(kind="c2", ends=ends),
        make.incident("before", kind="c2", ends=ends, title_en="called here yesterday"),
    )
    row = Exempted("c2", "", 1 << 52, make.now_us, "Jan", "a1", 2, 9, *ends[0])
    facts.exempted["bakery"] = [Normal(row, "/incidents/a1")]
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(client.make_url("/incidents/a1?lang=en"))
    tried = "document.querySelector('.answer .tried').innerText"
    assert "it would have kept 1 finding from you. We called you for 1 of them." in (
        await page.ask(tried)
    )
    assert "called here yesterday" in await page.ask(tried)
    assert facts.answers == []
    await page.ask("document.querySelector('button[value=normal]').click()")
    await page.wait_for("document.querySelector('.thanks')")
    assert await page.ask("document.querySelector('.tried')") is None
    await page.ask("document.querySelector('.answer a[href*=normal]').click()")
    await page.wait_for("document.querySelector('table.normal button')")
    assert "203.0.113.7" in await page.ask(
        "document.querySelector('table.normal th bdi').innerText"
    )
    await page.ask("document.querySelector('table.normal button').click()")
    await page.wait_for("document.querySelector('table.normal .muted')")
    assert facts.answers == [("a1", "normal", "operator"), (row.id, "undone", "operator")]
    assert page.said == []


async def test_an_answer_that_does_not_show_yet_shows_by_itself(page, client, facts, make):
    facts.hold(make.incident())
    facts.slow = True
    await page.open(client.make_url("/incidents/a1?lang=nl"))
    await page.ask("document.querySelector('button[value=normal]').click()")
    await page.wait_for("document.querySelector('.noting')")
    assert await page.ask("document.querySelector('form')") is None
    facts.obey()
    await page.wait_for("document.querySelector('.thanks:not(.noting)')")
    by = "document.querySelector('.answer .by')?.textContent"
    await page.wait_for(f"{by}?.includes('Door operator')")
    assert page.said == []


async def test_it_fits_a_phone_and_can_be_read(page, client, facts, make):
    answered = {"answered": make.now_us - 5, "answered_by": "jan-" * 25}
    facts.hold(
        make.incident(), make.incident("low", severity_id=2),
        make.incident("normal", status="normal", **answered),
        make.incident("attack", status="confirmed", **answered),
        make.incident("undone", status="closed", **answered),
    )  # fmt: skip
    parts = [make.incident(f"p{n}", story="s1", title_en="name-" * 40) for n in range(3)]
    facts.hold(*parts)
    facts.tell(
        make.story(*parts, called={"p1"}, by="fusion"),
        make.story(
            *parts, uid="s2", called={"p1"}, machine="", more=7, status="normal", **answered
        ),
    )
    facts.health = [make.agent(), make.agent("b", last_seen=0), make.agent("c", dropped=9_000_000)]
    await page.call(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=1,
        mobile=True,
    )
    shown = ("a1", "normal?answered=normal", "attack", "undone", "a1?answered=normal&after=0")
    paths = ("/", *(f"/incidents/{one}" for one in (*shown, "p1")), "/nowhere")
    paths += ("/stories/s1", "/stories/s2?answered=normal", "/sites/bakery/normal")
    facts.exempted["bakery"] = [
        Normal(Exempted("c2", "", 1 << 52, 1, "jan-" * 25, machine="10.0.0.7", peer="2001:db8::1")),
        Normal(Exempted("scan", "10.0.0.7", 1 << 52, 1), "/incidents/a1", ending=True),
    ]
    for scheme, lang, path in itertools.product(("light", "dark"), ("nl", "en"), paths):
        facts.until = make.now_us + make.minute if lang == "nl" else 0
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        await page.call("Emulation.setEmulatedMedia", features=colours)
        await page.open(client.make_url(path).update_query(lang=lang))
        assert await page.ask("document.documentElement.scrollWidth") <= 360, path
        assert await page.ask(CONTRAST) == [], (scheme, path)


# The ratio of WCAG 2 for every element that holds text, against what is painted behind it.
CONTRAST = """
(() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || e.closest("script, .unseen, .skip")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort();
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return poor;
})()
"""
