"""Real messages of every protocol that the meter reads, to be damaged."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass

import pytest

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.link_layers import ETHERNET
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.listener import Listener
from dijkwacht_agent.protocols.names import NameReader
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


class Spoken:
    """Protocol → flows, each a list of messages in their order, as the meter comes by them."""

    def __init__(self, patch):
        self._found = defaultdict(dict)
        self._fed = None  # the capture and the frame that the meter has before it
        listen, read_datagram = Listener.listen, NameReader.read_datagram

        def hear(listener, time, data, packet, flow):
            before = flow.conversation
            listen(listener, time, data, packet, flow)
            conversation = flow.conversation or before
            if conversation is not None:
                self._note(type(conversation).__name__, flow.flow_id, packet[6])

        def read(reader, time, data, packet):
            read_datagram(reader, time, data, packet)
            self._note(f"port {min(packet[2:4])}", packet[0], packet[6])

        patch.setattr(Listener, "listen", hear)
        patch.setattr(NameReader, "read_datagram", read)

    def _note(self, protocol, flow, at):
        path, frame = self._fed
        flows = self._found[protocol]
        if (path, flow) in flows or len(flows) < FLOWS_OF_EACH:
            messages = flows.setdefault((path, flow), [])
            if len(messages) < FRAMES_OF_EACH_FLOW:
                messages.append(Message(frame, at))

    def gather(self, path):
        meter = Meter(LocalNetworks())
        with contextlib.suppress(UnreadableInput):
            for block in Recording([path]).blocks():
                for frame in block.frames() if block.link_type == ETHERNET else ():
                    self._fed = path, frame
                    meter.feed(block_of([frame]))

    def flows(self):
        return {protocol: list(flows.values()) for protocol, flows in self._found.items()}


@pytest.fixture(scope="session")
def spoken(captures):
    """Protocol → flows of both folders, each a list of messages."""
    with pytest.MonkeyPatch.context() as patch:
        found = Spoken(patch)
        folders = (captures, captures.parent / "captures-quiet")
        for path in sorted(p for folder in folders for p in folder.glob("*/*")):
            small = path.stat().st_size < MAX_BYTES and path.parent.name != "robust"
            if small and is_recording(path):
                found.gather(path)
    return found.flows()
