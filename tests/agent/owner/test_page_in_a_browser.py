"""The owner's page in a real browser, as wide as a telephone, light and dark."""

import json
import threading

import pytest

from dijkwacht_agent.owner.device_names import read_names
from dijkwacht_agent.owner.page import PageServer, Place
from dijkwacht_agent.owner.pin import set_pin

pytestmark = pytest.mark.tools("chromium")

PIN = "271828"
CONTRAST = """
(() => {
  const light = c => {
    const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$|transparent/.test(c)) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  let least = 21;
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    least = Math.min(least, (a + 0.05) / (b + 0.05));
  }
  return least;
})()
"""


async def dress(tab, *, dark):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    await tab.call("Emulation.setEmulatedMedia", features=[scheme])


@pytest.fixture
async def tab(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    await page.call("Emulation.setDeviceMetricsOverride", **size)
    return page


@pytest.fixture
def url(site, hidden):
    set_pin(site.state, PIN)
    server = PageServer(site.state, Place("127.0.0.1", 0, False, frozenset()))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.place.url
    server.shutdown()
    server.server_close()


async def test_an_owner_asks_who_it_is_and_gives_it_a_name(tab, url, site, hidden, tmp_path):
    await tab.open(f"{url}?lang=nl")
    assert await tab.ask("document.documentElement.lang") == "nl"
    await tab.ask(f"document.querySelector('#pin').value = '{PIN}'; document.forms[0].submit()")
    await tab.wait_for("document.querySelector('#text')")

    message = f"~{hidden[0]} probeert wachtwoorden. Haal ~{hidden[0]} van het netwerk."
    ask = f"document.querySelector('#text').value = {json.dumps(message)}"
    await tab.ask(f"{ask}; document.querySelector('#text').form.submit()")
    await tab.wait_for("document.readyState === 'complete' && document.querySelector('.answer')")
    answer = await tab.ask("document.querySelector('.answer').innerText")
    assert "10.1.2.3" in answer
    assert "Annas-Laptop" in answer

    for dark in (False, True):
        await dress(tab, dark=dark)
        assert await tab.ask("document.documentElement.scrollWidth") <= 390
        assert await tab.ask(CONTRAST) >= 4.5
        low = "[...document.querySelectorAll('button, input:not([type=hidden])')]"
        assert await tab.ask(f"Math.min(...{low}.map(e => e.offsetHeight))") >= 44
        shot = await tab.picture(captureBeyondViewport=True)
        (tmp_path / f"page-{dark}.png").write_bytes(shot)

    await tab.ask("const f = document.querySelector('.devices form.name'); f.name.value = 'kassa'")
    name = "document.querySelector('.devices form.name')"
    await tab.ask(
        f"{name}.elements.name.value = 'kassa'; HTMLFormElement.prototype.submit.call({name})"
    )
    await tab.wait_for("document.querySelector('.devices h3')?.innerText === 'kassa'")
    assert read_names(site.state) == {"00:1b:21:00:00:01": "kassa"}
    said = [one for one in tab.said if one.get("entry", {}).get("level") != "verbose"]
    assert said == [], "nothing was thrown, logged or refused by the content policy"


async def test_a_wrong_pin_says_so(tab, url):
    await tab.open(f"{url}?lang=en")
    await tab.ask("document.querySelector('#pin').value = '000001'; document.forms[0].submit()")
    await tab.wait_for("document.querySelector('.wrong')")
    assert await tab.ask("document.querySelector('.wrong').innerText") == "That PIN is not right."
    assert await tab.ask("Boolean(document.querySelector('.devices'))") is False
