"""Names asked for and told, and the hellos of programs that then call."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_lab.traffic.facts import NOTHING_SHOWN, Shown, Talk
from dijkwacht_lab.traffic.flows_written import FlowsWritten
from dijkwacht_lab.traffic.programs import PRIVATE_DNS, TLS_1_2, TLS_1_3, Program
from dijkwacht_lab.traffic.site import DAY, DNS, MINUTE, SECOND, TCP, TLS, UDP, Call, Device
from dijkwacht_lab.traffic.world import NAMES, PLACES, spread
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import NO_ANSWER, Row
from dijkwacht_records.vocabulary import Alpn, CertFlag, HelloFlag

MDNS: Final = V4_PREFIX + b"\xe0\x00\x00\xfb"
_LLMNR: Final = V4_PREFIX + b"\xe0\x00\x00\xfc"
_RESOLVER: Final = 49
"""The place that answers DNS over TLS."""
_HELLO_US: Final = 20_000
"""From a flow's first packet until its handshake has been seen."""
_RESUMES: Final = int(HelloFlag.RESUMES)
_H3: Final = int(Alpn.H3)
_TALKS_A_QUERY: Final = Talk(12, 130, 480, 60)


class Answer(NamedTuple):
    """How a server farm answers a hello; ``issued`` and ``renews`` (days) tell its certificate's age."""

    version: int
    cipher: int
    mark: int
    days: int
    issued: int
    renews: int
    shown: int


def _farm(place: int) -> Answer:
    old = spread(place + 5, 10) < 2
    version = TLS_1_2 if old else TLS_1_3
    cipher = (0xC02F, 0xC030, 0xCCA8)[place % 3] if old else (0x1301, 0x1302, 0x1303)[place % 3]
    days, renews = ((90, 60), (90, 60), (398, 360), (825, 800))[spread(place + 9, 4)]
    # Many places live on one content network's machines, which all answer alike.
    mark = 1 + (spread(place, 40) + 1) * 0x2545F4914F6CDD1D % (1 << 61) + old
    return Answer(version, cipher, mark, days, spread(place, renews), renews, int(CertFlag.SEEN))


_FARMS: Final = [_farm(place) for place in range(len(PLACES))]


class NamesWritten(FlowsWritten):
    """A site whose look-ups and handshakes are written too."""

    def ask(
        self, at: int, host: Device, name: str, qtype: int = 1, rcode: int = 0, answers: int = 1,
        gives: tuple[bytes, ...] = (),
    ) -> int:  # fmt: skip
        """A question to the gateway and its answer; returns the µs at which the answer is there.

        ``gives``: the addresses that the answer holds; a flow to them is then named by this host.
        """
        wait = 1_500 + self.rng.getrandbits(15)
        size = 30 + len(name) + (28 if qtype == 28 else 16) * answers
        asked, tell = (host.address, self.gateway.address, 53, name, qtype), at + wait
        self.written.append((at, DNS, (at, *asked, 1, NO_ANSWER, 0, 0)))
        self.written.append((tell, DNS, (tell, *asked, 0, rcode, answers, size)))
        self.flow(
            at, Call(host.address, self.gateway.address, 53, UDP), up=18 + len(name), down=size,
            last_us=wait, beats=(wait,),
        )  # fmt: skip
        self.names.told(tell, host.address, gives)
        return tell

    def ask_server(
        self, at: int, host: Device, server: bytes, name: str, qtype: int = 1, size: int = 60
    ) -> int:
        """A question to a ``server`` of the asker's choice, and its answer of ``size`` bytes, 0 for no such name."""
        wait = 8_000 + self.rng.getrandbits(15)
        asked, tell = (host.address, server, 53, name, qtype), at + wait
        told = (0, 1, size) if size else (3, 0, 40 + len(name))
        self.written.append((at, DNS, (at, *asked, 1, NO_ANSWER, 0, 0)))
        self.written.append((tell, DNS, (tell, *asked, 0, *told)))
        self.flow(at, Call(host.address, server, 53, UDP), up=18 + len(name), down=told[2],
                  last_us=wait, beats=(wait,))  # fmt: skip
        return tell

    def look_up(self, at: int, host: Device, place: int) -> int:
        """Know the address of ``place``: asked for unless it is in the cache; returns when it is known."""
        if host.cache.get(place, 0) >= at:
            return at
        if len(host.cache) > 600:
            host.cache = {known: until for known, until in host.cache.items() if until > at}
        host.cache[place] = at + (60 << spread(place, 6)) * SECOND
        if host.hides:
            return self._ask_unseen(at, host)
        if self.rng.random() < 0.6:
            self.ask(at, host, NAMES[place], 28, answers=place & 1)
        return self.ask(at, host, NAMES[place], 1, 0, 1 + place % 3, (PLACES[place],))

    def _ask_unseen(self, at: int, host: Device) -> int:
        """A question over TLS: seen is a connection a minute at most, each of which carries several."""
        if host.cache.get(-1, 0) < at:
            host.cache[-1] = at + MINUTE
            call = Call(host.address, PLACES[_RESOLVER], PRIVATE_DNS.port)
            self.flow(at, call, up=1_400, down=5_200, last_us=21 * SECOND,
                      shown=Shown(_TALKS_A_QUERY))  # fmt: skip
            self.hello(at, call, PRIVATE_DNS, _RESOLVER)
        return at + 25_000

    def shout(self, at: int, host: Device, name: str, port: int) -> None:
        """An mDNS or LLMNR question to everybody."""
        group = MDNS if port == 5353 else _LLMNR
        self.written.append(
            (at, DNS, (at, host.address, group, port, name, 12, 1, NO_ANSWER, 0, 0))
        )
        self.unanswered(at, host.address, group, port, UDP)

    def announce(self, at: int, host: Device, name: str) -> None:
        """An mDNS answer to everybody: that ``name`` lives at ``host``'s address."""
        row = (at, MDNS, host.address, 5353, name, 12, 0, 0, 3, 110 + len(name))
        self.written.append((at, DNS, row))
        self.unanswered(at, host.address, MDNS, 5353, UDP)
        self.names.told_everyone(at, (host.address,))

    def calls_out(
        self, at: int, asker: Device, name: str, port: int, teller: Device | None
    ) -> None:
        """Where is ``name``? asked of everybody, mDNS (5353), LLMNR (5355) or NetBIOS (137); ``teller`` says: here."""
        group = {5353: MDNS, 5355: _LLMNR}.get(port, self.inside(255))
        asked = (group, port, name, 32 if port == 137 else 1)
        self.written.append((at, DNS, (at, asker.address, *asked, 1, NO_ANSWER, 0, 0)))
        self.unanswered(at, asker.address, group, port, UDP)
        if teller is not None:
            at += 900 + self.rng.getrandbits(14)
            told = (MDNS if port == 5353 else asker.address, teller.address, *asked[1:])
            self.written.append((at, DNS, (at, *told, 0, 0, 1, 62 + len(name))))
            self.names.told_everyone(at, (teller.address,))

    def ask_directly(self, at: int, asker: Device, name: str, server: Device) -> None:
        """Where is ``name``? asked of a NetBIOS name server, which knows."""
        asked = (asker.address, server.address, 137, name, 32)
        self.written.append((at, DNS, (at, *asked, 1, NO_ANSWER, 0, 0)))
        self.written.append((at + 800, DNS, (at + 800, *asked, 0, 0, 1, 62)))

    def visit(
        self, at: int, host: Device, place: int, up: int, down: int, last_us: int,
        program: Program | None = None,
    ) -> int:  # fmt: skip
        """Look a place up unless its address is known, connect, say hello, move bytes.

        ``program``: what calls, by default the host's browser. Returns the flow's id, 0 if nobody
        answered.
        """
        calling = program or host.browser
        at = self.look_up(at, host, place)
        port, resp = calling.port, PLACES[place]
        luck = self.rng.random()
        if luck < 0.012:
            self.unanswered(at, host.address, resp, port)
            return 0
        if luck < 0.018:
            self.refused(at, host.address, resp, port)
            return 0
        last_us = max(last_us, 3 * _HELLO_US)
        call = Call(host.address, resp, port, UDP if calling.quic and luck > 0.85 else TCP)
        shown = NOTHING_SHOWN
        turns = 4 + 2 * int(self.rng.random() ** 3 * calling.asks * (4 + last_us / (15 * SECOND)))
        if turns >= 8:
            shown = Shown(Talk(turns, 90 + place % 400, 1_200 if place & 1 else 31 + place % 60))
        flow_id = self.flow(at, call, up=up, down=down, last_us=last_us, shown=shown)
        self.hello(at, call, calling, place)
        return flow_id

    def hello(self, at: int, call: Call, program: Program, place: int) -> None:
        """The handshake of the flow that was written last, at its beginning, with a place outside."""
        luck = self.rng.random()
        again, resumed = luck < 0.4, luck < 0.32
        farm = _FARMS[place]
        if call.proto == UDP:
            ja4, alpn, version = program.quic, _H3, TLS_1_3
        else:
            ja4 = program.again if again else program.first
            alpn, version = program.alpn, min(farm.version, program.version)
        cipher, mark = farm.cipher, farm.mark + 2 * resumed + 4 * alpn
        if version != farm.version:
            cipher, mark = 0xC02F if version == TLS_1_2 else 0x1301, mark + 1
        shown: tuple[int, int, int] = (0, 0, 0)
        if version == TLS_1_2 and not resumed:
            shown = (farm.days, (at // DAY + farm.issued) % farm.renews, farm.shown)
        flags = program.flags | (_RESUMES if again else 0)
        asked = (program.version, NAMES[place], call.proto, ja4, flags)
        self._hello(at, call, (*asked, version, cipher, alpn, mark, int(resumed), *shown, 0))

    def page(self, at: int, host: Device, device: Device, browser: Program, port: int = 443) -> int:
        """Somebody opens the page of a device inside: its address, its own certificate; returns the flow's id.

        ``browser``: one that names no server, as whoever types an address.
        """
        turns = 10 + self.rng.getrandbits(4)
        call = Call(host.address, device.address, port)
        flow_id = self.flow(at, call, up=700 * turns, down=5_000 * turns, last_us=9 * SECOND,
                            shown=Shown(Talk(turns, 520, 1_380)))  # fmt: skip
        mark = 1 + device.mac * 0x2545F4914F6CDD1D % (1 << 61)
        days = (3_650, 7_300, 10_950)[device.mac % 3]
        marks = CertFlag.SEEN | CertFlag.SELF_SIGNED
        if device.mac & 4:
            marks |= CertFlag.NO_ALTERNATIVE
        age = 30 + device.mac % 900 + at // DAY % 365
        asked = (browser.version, "", TCP, browser.first, browser.flags)
        chosen = (TLS_1_2, (0xC02F, 0xC030)[device.mac & 1], int(Alpn.HTTP_1_1), mark, 0)
        self._hello(at, call, (*asked, *chosen, days, age, int(marks), 0))
        return flow_id

    def _hello(self, at: int, call: Call, facts: Row) -> None:
        hello = at + _HELLO_US
        version, rest = facts[0], facts[1:]
        row = (hello, self.flows, call.orig, call.resp, call.resp_p, version, *rest)
        self.written.append((hello, TLS, row))
