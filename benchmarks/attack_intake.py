"""What honest agents notice while others attack the collector that this starts: prints one JSON object.

Nothing else can be a target. The attack is in dijkwacht_lab.bench.attack, which says what it does.
"""

from __future__ import annotations

import argparse
import json

from dijkwacht_lab.bench.attack import measure

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--hostile", type=int, default=200, help="connections with a token")
    parser.add_argument("--heads", type=int, default=1100, help="half-sent heads without one")
    parser.add_argument("--json", action="store_true", help="on one line, for programs")
    given = parser.parse_args()
    found = measure(given.seconds, given.hostile, given.heads)
    print(json.dumps(found, indent=None if given.json else 2))
