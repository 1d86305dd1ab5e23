"""Real messages of every protocol that the meter reads, to be damaged."""

from collections import defaultdict
from dataclasses import dataclass

import pytest

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.link_layers import ETHERNET
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.listener import Listener
from dijkwacht_agent.protocols.reader import NameReader
from dijkwacht_agent.sources.recording import Recording, is_recording
from dijkwacht_records.errors import UnreadableInput

FLOWS_OF_EACH = 60
FRAMES_OF_EACH_FLOW = 12
MAX_BYTES = 3_000_000


@dataclass
class Message:
    """A frame and where its payload begins in it."""

    frame: tuple
    at: int


@pytest.fixture(scope="session")
def spoken(captures):
    """Protocol → flows, each a list of messages in their order."""
    found = defaultdict(dict)
    with pytest.MonkeyPatch.context() as patch:
        listen, read_datagram = Listener.listen, NameReader.read_datagram
        frame = []

        def note(protocol, flow_id, at):
            flows = found[protocol]
            if flow_id in flows or len(flows) < FLOWS_OF_EACH:
                messages = flows.setdefault(flow_id, [])
                if len(messages) < FRAMES_OF_EACH_FLOW:
                    messages.append(Message(frame[0], at))

        def hear(self, time, data, packet, flow):
            listen(self, time, data, packet, flow)
            if flow.conversation is not None:
                note(type(flow.conversation).__name__, (frame[1], flow.flow_id), packet[6])

        def read(self, time, data, packet):
            read_datagram(self, time, data, packet)
            note(f"port {min(packet[2:4])}", (frame[1], packet[0]), packet[6])

        patch.setattr(Listener, "listen", hear)
        patch.setattr(NameReader, "read_datagram", read)
        folders = (captures, captures.parent / "captures-quiet")
        for path in sorted(p for folder in folders for p in folder.glob("*/*")):
            if (
                path.parent.name != "robust"
                and path.stat().st_size < MAX_BYTES
                and is_recording(path)
            ):
                meter = Meter(LocalNetworks())
                try:
                    for block in Recording([path]).blocks():
                        for one in block.frames() if block.link_type == ETHERNET else ():
                            frame[:] = one, path
                            meter.feed(block_of([one]))
                except UnreadableInput:
                    continue
    return {protocol: list(flows.values()) for protocol, flows in found.items()}
