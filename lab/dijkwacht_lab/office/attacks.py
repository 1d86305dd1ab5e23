"""From a plan's attack to the words of a real tool, each target checked against the fence first."""

from __future__ import annotations

import ipaddress
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from dijkwacht_lab.office.plans import Attack, Plan

TUNNEL_PASSWORD = "open-sesame"  # noqa: S105 - of a tunnel that leads nowhere
_GUESSES = 150


@dataclass(frozen=True, slots=True)
class ToolRun:
    """What an attack runs: ``words`` where the attacker is; before it, ``beyond`` on the internet.

    ``carry`` runs where the attacker is once the tunnel stands; when it ends, so does the attack.
    ``endless``: the tool never ends by itself and is interrupted after ``attack.lasts``.
    """

    words: list[str]
    beyond: list[str]
    carry: list[str]
    endless: bool


def tool_run(plan: Plan, attack: Attack, folder: Path) -> ToolRun:
    """The commands of ``attack``. Raises `OutsideOffice` before anything could run."""
    fence = plan.fence()
    target = fence.target(attack.target)
    gateway = fence.target(plan.gateway)
    words: list[str]
    beyond: list[str] = []
    carry: list[str] = []
    if attack.tool == "nmap":
        words = ["nmap", *attack.options, target]
    elif attack.tool == "hydra":
        *options, service = attack.options
        words = ["hydra", "-l", plan.guess[0], "-P", str(guesses(plan, folder)), *options,
                 target, service]  # fmt: skip
    elif attack.tool == "hping3":
        words = ["hping3", "-q", "-n", *attack.options, target]
    elif attack.tool == "arpspoof":
        words = ["arpspoof", "-i", "eth0", "-t", target, gateway]
    else:
        far = tunnel_far_end(plan)
        width = plan.tunnel_network.partition("/")[2]
        words = [
            "iodine",
            "-f",
            "-r",
            "-P",
            TUNNEL_PASSWORD,
            *attack.options,
            gateway,
            plan.tunnel_zone,
        ]
        beyond = ["iodined", "-f", "-c", "-P", TUNNEL_PASSWORD, "-l", target,
                  f"{far}/{width}", plan.tunnel_zone]  # fmt: skip
        carry = role_words(plan, folder, attack.lasts, "carry", attack.by, fence.target(far),
                           str(attack.load[0]), str(int(attack.load[1])))  # fmt: skip
    return ToolRun(words, beyond, carry, attack.tool in ("arpspoof", "iodine"))


def role_words(plan: Plan, folder: Path, seconds: float, role: str, *words: str) -> list[str]:
    """The command that plays ``role`` in this office for at most ``seconds``."""
    module = "dijkwacht_lab.office.role"
    return [sys.executable, "-m", module, plan.name, str(folder), str(seconds), role, *words]


def tunnel_far_end(plan: Plan) -> str:
    """The address at the far end of the plan's tunnel: the first of its network."""
    return str(ipaddress.ip_network(plan.tunnel_network)[1])


def guesses(plan: Plan, folder: Path) -> Path:
    """A list of passwords, the right one last."""
    rng = random.Random(plan.seed)  # noqa: S311 - made-up words, the same each time
    words = ["".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(_GUESSES)]
    path = folder / "guesses.txt"
    path.write_text("\n".join([*words, plan.guess[1]]) + "\n")
    return path


def victims(plan: Plan, attack: Attack) -> list[str]:
    """Whom the attack harms: its target; for a tunnel, the host it starts from."""
    return [plan.host(attack.by).address] if attack.kind == "dns" else [attack.target]
