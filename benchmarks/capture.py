"""How fast the reference meter is: prints one JSON object. The measuring is in dijkwacht_lab.bench."""

from __future__ import annotations

import argparse
import json

from dijkwacht_lab.bench.capture import measure

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps(measure(given.packets, given.repeats)))
