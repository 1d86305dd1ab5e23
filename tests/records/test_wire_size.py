"""A flow row costs at most 20 bytes on the wire, 15 in contract 2, 16 with its hints, on rows as a small office makes them."""

import random

import pytest
import zstandard

from dijkwacht_records import wire
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)
from dijkwacht_records.tables import FLOWS, ConnState, FlowState

INSIDE = [pack_address(f"192.168.10.{n}") for n in range(2, 27)]
RESOLVER = pack_address("192.168.10.1")


class _Office:
    """A small office's day: 25 machines, 600 servers and 400 names of Zipf's popularity.

    A third is DNS, where a name has its own sizes. One connection in seven fails. The rest is web
    traffic: what a connection carries mostly moves at once, then it idles until it is closed; one
    in seven goes on moving and is updated each 15 s. Rows come in the order of an agent's export.
    """

    def __init__(self, seed: int, *, hints: bool = True) -> None:
        self.hints = hints
        self.draw = random.Random(seed)
        draw = self.draw.randrange
        self.servers = [
            pack_address(f"{draw(1, 223)}.{draw(256)}.{draw(256)}.{draw(256)}") for _ in range(600)
        ]
        self.first_bytes = [int(self.draw.lognormvariate(8.7, 0.8)) for _ in self.servers]
        self.names = [(draw(28, 60), draw(60, 300)) for _ in range(400)]
        self.flow_id = draw(1 << 40)
        self.now = 1_700_000_000_000_000

    def rows(self, wanted: int):
        """``wanted`` rows out of the middle of a longer time."""
        made = []
        while len(made) < wanted * 3:
            self.now += int(self.draw.expovariate(1 / 250_000))
            self.flow_id += 1
            kind = self.draw.random()
            made += self._dns() if kind < 0.33 else self._failed() if kind < 0.45 else self._web()
        made.sort()
        at = self.draw.randrange(len(made) - wanted)
        return [(0, row) for row in made[at : at + wanted]]

    def _popular(self, things):
        return things[min(int(self.draw.paretovariate(0.6)) - 1, len(things) - 1)]

    def _dns(self):
        asked, answered = self._popular(self.names)
        taken = int(self.draw.lognormvariate(9, 1))
        yield self._row(taken, 0, FlowState.END, resp_h=RESOLVER, resp_p=53, proto=17,
                        conn_state=ConnState.SF, local_resp=1, orig_pkts=1, resp_pkts=1,
                        orig_bytes=asked, resp_bytes=answered)  # fmt: skip

    def _failed(self):
        yield self._row(int(self.draw.lognormvariate(10, 1)), 0, FlowState.END,
                        resp_h=self._popular(self.servers), resp_p=443, proto=6, orig_flags=2,
                        resp_flags=20, conn_state=ConnState.REJ, orig_pkts=1, resp_pkts=1)  # fmt: skip

    def _web(self):
        server = self._popular(self.servers)
        life = int(self.draw.lognormvariate(15.5, 1.5))
        moves = life if self.draw.random() < 1 / 7 else 0
        web = {"resp_h": server, "resp_p": 443, "proto": 6, "flow_id": self.flow_id,
               "orig_h": self.draw.choice(INSIDE), "orig_p": self._port()}  # fmt: skip
        got = self.first_bytes[self.servers.index(server)] + self.draw.randrange(1500)
        first = {"orig_pkts": 6 + got // 2900, "resp_pkts": 5 + got // 1400, "resp_bytes": got,
                 "orig_bytes": 517 + self.draw.randrange(60, 1500)}  # fmt: skip
        if life < 1_000_000:
            yield self._row(life, 0, FlowState.END, **web, **first, conn_state=ConnState.SF,
                            orig_flags=27, resp_flags=27)  # fmt: skip
            return
        yield self._row(self.draw.randrange(30_000, 990_000), 0, FlowState.OPEN, **web, **first,
                        conn_state=ConnState.S1, orig_flags=26, resp_flags=26)  # fmt: skip
        part = 1
        for due in range(15_000_000, moves, 15_000_000):
            got = int(self.draw.lognormvariate(9, 1.5))
            yield self._row(due - self.draw.randrange(4_000_000), part, FlowState.UPDATE, **web,
                            conn_state=ConnState.S1, orig_flags=24, resp_flags=24,
                            orig_pkts=2 + got // 2900, resp_pkts=1 + got // 1400,
                            orig_bytes=self.draw.randrange(60, 1500), resp_bytes=got)  # fmt: skip
            part += 1
        yield self._row(life, part, FlowState.END, **web, conn_state=ConnState.SF, orig_flags=25,
                        resp_flags=25, orig_pkts=2, resp_pkts=2, orig_bytes=24, resp_bytes=24)  # fmt: skip

    def _hints(self, machine: bytes, *, answered: bool) -> int:
        """Its system shows in every SYN; some servers were named by nobody."""
        options = SynOptions.TWENTY if INSIDE.index(machine) % 3 else SynOptions.TWELVE
        named = Named.BY_ORIG if self.draw.random() < 0.85 else Named.NOBODY
        speech = Speech.TLS if answered else Speech.NOTHING
        window = WINDOW.put(SynWindow.LARGE)
        return OPTIONS.put(options) | window | NAMED.put(named) | SPEECH.put(speech)

    def _port(self) -> int:
        return self.draw.randrange(32_768, 61_000)

    def _row(self, after: int, part: int, state: FlowState, **more):
        values = dict.fromkeys((column.name for column in FLOWS.columns), 0)
        values |= {"time": self.now + after, "start": self.now, "flow_id": self.flow_id,
                   "part": part, "state": state, "orig_h": self.draw.choice(INSIDE),
                   "orig_p": self._port(), "local_orig": 1} | more  # fmt: skip
        if self.hints and values["proto"] == 6 and part == 0:
            values["hints"] = self._hints(values["orig_h"], answered=values["resp_bytes"] > 0)
        return tuple(values.values())


@pytest.mark.parametrize(
    ("contract", "most", "hints"), [(1, 20, False), (2, 15, False), (2, 16, True)]
)
@pytest.mark.parametrize("rows", [1_000, 3_000, 10_000])
def test_a_flow_row_costs_few_bytes(rows, contract, most, hints, record_property):
    offices = [_Office(seed, hints=hints).rows(rows) for seed in range(3)]
    head = "site", "agent", bytes(16), 0, 1
    sizes = [len(wire.encode(*head, office, contract)) for office in offices]
    worst = max(sizes) / rows
    record_property("bytes_per_row", worst)
    assert worst <= most
    assert max(sizes) <= wire.MAX_WIRE_BYTES


@pytest.mark.parametrize("contract", [1, 2])
def test_the_compression_is_nearly_as_good_as_it_gets(contract):
    quick = wire.encode("site", "agent", bytes(16), 0, 1, _Office(0).rows(1_000), contract)
    plain = zstandard.ZstdDecompressor().decompress(quick[4:])
    assert len(quick) < 1.1 * len(zstandard.ZstdCompressor(level=9).compress(plain))
