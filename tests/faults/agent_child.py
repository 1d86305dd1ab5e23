"""An agent's batcher, spool and uplink in a process of their own, told by lines what to do.

Each line on standard input is a command in JSON, each on standard output its answer; ``make`` answers
once a batch, so that whoever listens knows how far it came when it is killed.
"""

import sys
from pathlib import Path

import msgspec

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import Post, Uplink
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import ConnState, FlowState

HERE, SERVER = pack_address("192.168.7.21"), pack_address("198.51.100.9")


def flows(begin, rows):
    """So many finished flows, one a second."""
    for number in range(rows):
        time = begin + number * 1_000_000
        yield 0, (
            time, time - 1000, begin + number, 0, FlowState.END, HERE, SERVER, 40_000 + number, 443,
            6, 0, ConnState.SF, 2, 18, 5, 7, 900, 4_000, 1, 0,
        )  # fmt: skip


class Child:
    """What the commands are carried out on."""

    def __init__(self, folder, site, agent, url, token, most):
        self.now = 0
        self.spool = Spool(folder, most)
        self.uplink = Uplink(self.spool, Post(url, token), lambda: self.now)
        privacy = Pseudonyms(bytes(range(32)), LocalNetworks())
        self.batcher = Batcher(site, agent, privacy, lambda: self.now)

    def make(self, now, batches, rows):
        """So many batches of so many rows, from ``now`` (µs) on."""
        for _ in range(batches):
            self.now = now
            self.batcher.add(Columns.of(flows(now, rows)))
            now += rows * 1_000_000
            for parcel in self.batcher.take(everything=True):
                self.spool.append(parcel.wire, parcel.rows)
            yield {"made": rows}

    def spoil(self, rows):
        """Something that no collector takes, said to be so many rows."""
        self.spool.append(b"no batch at all", rows)
        yield {"made": rows}

    def send(self, most):
        """So many batches, or until one must wait; says of each whether it was settled."""
        for _ in range(most):
            if (record := self.spool.peek()) is None:
                break
            waits = self.uplink.send(record) > 0
            yield {"waits": waits}
            if waits:
                break

    def accounts(self):
        """The ledger, and whether the spool says that its disk is full."""
        yield {
            "accounts": msgspec.to_builtins(self.spool.accounts),
            "disk_full": self.spool.disk_full,
        }


def main(folder, site, agent, url, token, most):
    child = Child(Path(folder), site, agent, url, token, int(most))
    for line in sys.stdin:
        name, *arguments = msgspec.json.decode(line)
        for answer in getattr(child, name)(*arguments):
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.flush()
        sys.stdout.buffer.write(b"null\n")
        sys.stdout.flush()
    child.uplink._post.close()
    child.spool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
