"""The owner's page in a real browser, as wide as a telephone, light and dark."""

import asyncio
import base64
import contextlib
import itertools
import json
import re
import threading

import aiohttp
import pytest

from dijkwacht_agent.owner.device_names import read_names
from dijkwacht_agent.owner.page import PageServer, Place
from dijkwacht_agent.owner.pin import set_pin

pytestmark = pytest.mark.tools("chromium")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
DEADLINE_S = 30
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


class Tab:
    """``said`` holds what the page logged, threw, or was refused."""

    def __init__(self, socket):
        self._socket, self._numbers, self.said = socket, itertools.count(1), []

    async def call(self, method, **params):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive(timeout=DEADLINE_S)).data)
            if message.get("id") == number:
                return message
            if message.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.said.append(message["params"])

    async def ask(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("result", {}).get("value")

    async def wait_for(self, expression):
        for _ in range(20 * DEADLINE_S):
            if await self.ask(f"Boolean({expression})"):
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"never came true: {expression}")

    async def open(self, url):
        await self.call("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def dress(self, *, dark):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self):
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["result"]["data"])


@pytest.fixture
async def tab(tmp_path):
    browser = await asyncio.create_subprocess_exec(
        "chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for line in browser.stderr:
                if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
                    break
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{int(found[1])}/json/list") as answer:
                page = next(t for t in await answer.json() if t["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                made = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await made.call(f"{domain}.enable")
                size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
                await made.call("Emulation.setDeviceMetricsOverride", **size)
                yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            browser.kill()
        await browser.wait()


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
    await tab.wait_for("document.querySelector('.answer')")
    answer = await tab.ask("document.querySelector('.answer').innerText")
    assert "10.1.2.3" in answer
    assert "Annas-Laptop" in answer

    for dark in (False, True):
        await tab.dress(dark=dark)
        assert await tab.ask("document.documentElement.scrollWidth") <= 390
        assert await tab.ask(CONTRAST) >= 4.5
        low = "[...document.querySelectorAll('button, input:not([type=hidden])')]"
        assert await tab.ask(f"Math.min(...{low}.map(e => e.offsetHeight))") >= 44
        (tmp_path / f"page-{dark}.png").write_bytes(await tab.picture())

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
