"""What "this is normal" would keep silent is said before it is; what is normal is listed and taken back."""

import re

import pytest

from dijkwacht_collector.console.data import Normal
from dijkwacht_collector.incidents import Ends, Exempted

SHOP, BANK = "203.0.113.7", "203.0.113.8"
ROW = Exempted("c2", "", 1 << 52, 1_789_000_000_000_000, "Jan", "a1", 3, 9, "10.0.0.7", SHOP)


async def get(client, path, status=200):
    async with client.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


@pytest.fixture
def calls(make):
    """A function: an incident of the oven's calls to ``peers``."""

    def incident(uid, *peers, **changes):
        ends = tuple(Ends("10.0.0.7", peer) for peer in peers)
        fields = {"kind": "c2", "title_en": f"calls {uid}", "title_nl": f"belt {uid}"} | changes
        return make.incident(uid, ends=ends, **fields)

    return incident


def tried(page):
    """The form's part, without its markup."""
    return " ".join(
        re.sub("<.*?>", " ", page[page.index("tried") :].partition("</form>")[0]).split()
    )


@pytest.mark.parametrize(
    ("lang", "nothing", "some"),
    [
        (
            "en",
            "besides this, it would have kept nothing from you.",
            "besides this, it would have kept 2 findings from you. We called you for 1 of them.",
        ),
        (
            "nl",
            "verder was u daardoor niets ontgaan.",
            "verder waren u daardoor 2 bevindingen ontgaan. Voor 1 daarvan riepen we u op.",
        ),
    ],
)
async def test_the_form_says_what_it_would_have_kept_silent(
    client, facts, make, calls, lang, nothing, some
):
    meant = calls("a1", SHOP, story="s1")
    facts.hold(meant, calls("other", BANK), calls("machine", SHOP, subject="x", kind="exfil"))
    facts.tell(make.story(meant))
    for path in ("/incidents/a1", "/stories/s1"):
        page = await get(client, f"{path}?lang={lang}")
        assert nothing in page
        assert f"10.0.0.7 · {SHOP}" in page
    context = calls("context", SHOP, severity_id=2)
    facts.hold(context, calls("called", SHOP), calls("both", SHOP, BANK))
    for path in ("/incidents/a1", "/stories/s1"):
        told = tried(await get(client, f"{path}?lang={lang}"))
        assert some in told
        first, second = ("calls", "calls") if lang == "en" else ("belt", "belt")
        assert told.index(f"{first} called") < told.index(f"{second} context")
        assert "both" not in told, "it would have been told, with less in it"
        assert ("In 1 other there was" if lang == "en" else "In 1 andere zat ook iets") in told


async def test_a_long_trial_is_cut_and_counted(client, facts, calls):
    facts.hold(*(calls(f"n{n}", SHOP) for n in range(12)))
    page = await get(client, "/incidents/n0?lang=en")
    told = page[page.index("tried") :].partition("</form>")[0]
    assert told.count("/incidents/") == 5
    assert "and 6 more" in told


async def test_what_is_normal_is_not_tried_again(client, facts, calls):
    facts.hold(calls("a1", SHOP, status="normal"))
    page = await get(client, "/incidents/a1?lang=en")
    assert "This answer is about:" in page
    assert "Tried on" not in page


async def test_the_list_says_what_and_is_taken_back(client, facts):
    facts.exempted["bakery"] = [
        Normal(ROW, "/incidents/a1"), Normal(Exempted("scan", "10.0.0.8", 1 << 52)),
    ]  # fmt: skip
    page = await get(client, "/sites/bakery/normal?lang=en")
    assert f"<bdi>Remote control · ~10.0.0.7 · {SHOP}</bdi>" in page
    assert "<bdi>Jan</bdi>" in page
    assert 'href="/incidents/a1?lang=en"' in page
    assert "Scan · ~10.0.0.8" in page
    assert page.count("<form") == 2
    own = str(client.make_url("")).rstrip("/")
    path = f"/sites/bakery/normal/{ROW.id}?lang=nl"
    async with client.post(path, headers={"Origin": "http://elsewhere"}) as answer:
        assert answer.status == 403
    assert facts.answers == []
    async with client.post(path, headers={"Origin": own}, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/sites/bakery/normal?lang=nl"
    assert facts.answers == [(ROW.id, "undone", "operator")]
    page = await get(client, "/sites/bakery/normal?lang=nl")
    assert "wordt teruggenomen" in page
    assert page.count("<form") == 1
    facts.exempted["clinic"] = []
    assert "This site calls nothing normal." in await get(client, "/sites/clinic/normal?lang=en")
    assert "no such site" in await get(client, "/sites/nowhere/normal?lang=en", 404)


async def test_a_hostile_name_is_only_text(client, facts):
    hostile = "<script>x</script>"
    row = Exempted("c2", "", 1 << 52, 1, hostile, "", machine=hostile, peer=hostile)
    facts.exempted[hostile] = [Normal(row)]
    page = await get(client, "/sites/%3Cscript%3Ex%3C%2Fscript%3E/normal?lang=en")
    assert "<script>x" not in page
    assert page.count("&lt;script&gt;") >= 3
