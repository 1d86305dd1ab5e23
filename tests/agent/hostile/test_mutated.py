"""20,000 damaged messages of each protocol: no crash, no growth, and rows that the contract can hold."""

import random
import resource
import time

import pytest

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records import wire

MAX_GROWTH_KIB = 24 * 1024
MAX_CPU_S_A_THOUSAND = 2.0
"""Far above what a thousand messages cost: what it is there to notice are loops that do not end."""


def damage(message, dice):
    """The frame with some of its payload changed, cut, doubled or said to be longer than it is."""
    moment, link_type, data, wire_len, vlan = message.frame
    head, body = data[: message.at], bytearray(data[message.at :])
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        if not body:
            break
        place = dice.randrange(min(len(body), dice.choice((8, 64, 4096))))
        match dice.randrange(7):
            case 0:
                body[place] = dice.randrange(256)
            case 1:
                body[place] ^= 1 << dice.randrange(8)
            case 2:
                body[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 3:
                body[place : place + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case 4:
                del body[place:]
            case 5:
                body[place:place] = body[: dice.randrange(64)]
            case 6:
                del body[place : place + dice.randrange(1, 32)]
    extra = dice.choice((0, 0, 0, 1, 60_000))
    return moment, link_type, head + bytes(body), max(wire_len, len(head) + len(body)) + extra, vlan


def feed_damaged(flows, count, dice):
    """Feed ``count`` messages, most of them damaged, flow by flow; CPU seconds of the dearest thousand."""
    fed, made, dearest = 0, 0, 0.0
    while fed < count:
        meter, began = Meter(LocalNetworks(), max_flows=64), time.process_time()
        for _ in range(100):
            messages = list(dice.choice(flows))
            if dice.random() < 0.2:
                dice.shuffle(messages)
            frames = [damage(m, dice) if dice.random() < 0.8 else m.frame for m in messages]
            meter.feed(block_of(frames))
            fed += len(frames)
        meter.finish()
        rows = meter.take()
        made += len(rows)
        assert wire.encode("site", "agent", bytes(16), 0, 0, rows, contract=2)
        dearest = max(dearest, time.process_time() - began)
    assert made
    return dearest


def harm(spoken, count):
    """What ``count`` damaged messages of each protocol did that they must not: protocol, growth, time."""
    for protocol, flows in sorted(spoken.items()):
        dice = random.Random(protocol)  # the same damage every time
        feed_damaged(flows, 1_000, dice)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dearest = feed_damaged(flows, count, dice)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > MAX_GROWTH_KIB or dearest > MAX_CPU_S_A_THOUSAND:
            yield protocol, grown, dearest


@pytest.mark.captures
@pytest.mark.timeout(600)
def test_damaged_messages_of_each_protocol_harm_nothing(spoken):
    assert len(spoken) >= 17
    assert list(harm(spoken, 20_000)) == []


@pytest.mark.long
@pytest.mark.captures
@pytest.mark.timeout(7_200)
def test_a_million_of_them_harm_nothing_either(spoken):
    """Some half an hour."""
    assert list(harm(spoken, 1_000_000)) == []
