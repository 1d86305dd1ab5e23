"""``python -m dijkwacht_lab.office --plan NAME --to FOLDER``: make a recording again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dijkwacht_lab.office.driver import TOOLS, record
from dijkwacht_lab.office.namespaces import CommandFailed, missing
from dijkwacht_lab.office.plans import PLANS


def main() -> int:
    """Record one plan; 0, or 2 with one line on stderr when this machine cannot."""
    parser = argparse.ArgumentParser(prog="python -m dijkwacht_lab.office", description=__doc__)
    parser.add_argument("--plan", choices=sorted(PLANS), default="demo")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    plan = PLANS[args.plan]
    if lacking := missing(TOOLS):
        sys.stderr.write(f"needed first: {', '.join(sorted(set(lacking)))}\n")
        return 2
    sys.stderr.write(f"{plan.story} This takes {plan.seconds:.0f} seconds.\n")
    try:
        truth = record(plan, args.to)
    except CommandFailed as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(f"{truth.frames} frames, {len(truth.attacks)} attacks in {args.to}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
