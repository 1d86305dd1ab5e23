"""A machine whose clock is wrong, by libfaketime: the agent's own commands, over TLS to a real collector."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from dijkwacht_agent.identity import Identity

pytestmark = [pytest.mark.tools("faketime"), pytest.mark.timeout(240)]

# Under libfaketime the system's sleep fails now and then (EINVAL); waiting for nothing does not.
AGENT = """
import select, sys, time
time.sleep = lambda seconds: select.select((), (), (), seconds)
from dijkwacht_agent.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Machine:
    """One with a clock of its own, on which the agent's commands are typed."""

    def __init__(self, folder):
        self.state, self._time = folder / "state", folder / "time"
        found = subprocess.run(
            ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"],
            capture_output=True,
            check=True,
            text=True,
        )
        self._environment = os.environ | {
            "LD_PRELOAD": found.stdout.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._time),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "DIJKWACHT_AGENT_HEARTBEAT_S": "0.2",
        }
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self._export = f"127.0.0.1:{free.getsockname()[1]}"

    def clock(self, off):
        """From now on it is so far off."""
        written = self._time.with_suffix(".new")
        written.write_text(f"{off}\n")
        written.replace(self._time)

    def _words(self, command, *words):
        return [sys.executable, "-c", AGENT, command, "--state", str(self.state), *words]

    def types(self, *words):
        """What a command says, on both of its outputs."""
        command, environment = self._words(*words), self._environment
        done = subprocess.run(
            command, capture_output=True, check=False, text=True, timeout=90, env=environment
        )
        return done.returncode, done.stdout, done.stderr

    def check(self, language="en"):
        """What it finds about clock, certificate and a running agent's trouble, in sentences."""
        words = "--json", "--seconds", "0.2", "--lang", language
        _, out, _ = self.types("check", *words, "--flow-export", self._export)
        return {
            found["check"]: found["message"]
            for found in map(json.loads, out.splitlines())
            if found["check"].startswith(("clock", "certificate", "collector", "in_trouble"))
        }

    @contextlib.contextmanager
    def running(self):
        """The agent runs; gives what it says, as it says it."""
        with subprocess.Popen(
            self._words("run", "--flow-export", self._export),
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        ) as process:
            said = []
            listener = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
            listener.start()
            try:
                yield said
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
                listener.join()


def metric(secure, name, labels):
    """What the collector counts, 0 where it has not counted yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    line = http.client.HTTPSConnection("127.0.0.1", secure.port, context=context, timeout=20)
    with contextlib.closing(line):
        line.request("GET", "/metrics")
        text = line.getresponse().read().decode()
    found = re.search(rf"^{re.escape(name)}{{{labels}}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def of(agent):
    return f'site="bakery",agent="{agent}"'


@pytest.fixture
def machine(secure, tmp_path):
    """One that joins with its clock off by so much; in which language, it says so in one line."""

    def make(agent, off, language):
        made = Machine(tmp_path)
        made.clock(off)
        made.joined = made.types("join", secure.code(), "--name", agent, "--lang", language)
        return made

    return make


CASES = [
    ("years-behind", "-4000d", "11 years behind", "11 jaar achter"),
    ("days-behind", "-3d", "3 days behind", "3 dagen achter"),
    ("days-ahead", "+3d", "3 days ahead", "3 dagen voor"),
    ("weeks-ahead", "+40d", "40 days ahead", "40 dagen voor"),
]
"""What the collector takes all the same: it is told by name, and heals."""


@pytest.mark.parametrize(("agent", "off", "english", "dutch"), CASES)
def test_a_wrong_clock_is_told_and_what_is_sent_goes_on(
    secure, machine, wait_for, agent, off, english, dutch
):
    wrong = machine(agent, off, "nl")
    code, _, err = wrong.joined
    assert code == 0
    assert f"de klok van dit apparaat loopt {dutch}: zet het gelijkzetten" in err
    assert err.count("\n") == 1
    joined = (wrong.state / "identity.pem").read_bytes()
    found = wrong.check()
    assert found["clock_wrong"] == (
        f"The clock of this machine is {english}. Turn on time synchronisation."
    )
    assert dutch in wrong.check("nl")["clock_wrong"]
    assert re.search(r"good for (29|30) days more", found["certificate_good"])
    days = float(off[:-1])
    with wrong.running() as said:
        wait_for(lambda: any(english in line for line in said))
        offset = "dijkwacht_agent_clock_offset_seconds"
        wait_for(lambda: abs(metric(secure, offset, of(agent)) + days * 86_400) < 60)
        if days > 0:  # a time that is still to come is not believed
            wait_for(lambda: metric(secure, "dijkwacht_rows_future_total", 'site="bakery"') > 0)
        wrong.clock("+0")
        wait_for(lambda: any("the clock is right again" in line for line in said))
        wait_for(lambda: abs(metric(secure, offset, of(agent))) < 60)
        assert "clock_right" in wrong.check()
    assert (wrong.state / "identity.pem").read_bytes() == joined


def test_years_ahead_nothing_is_believed_or_sent_until_the_clock_is_right(
    secure, machine, wait_for
):
    wrong = machine("years-ahead", "+4000d", "nl")
    code, _, err = wrong.joined
    assert code == 0
    assert "de klok van dit apparaat loopt 11 jaar voor; wat gezien wordt, blijft bewaard" in err
    assert err.count("\n") == 1
    joined = (wrong.state / "identity.pem").read_bytes()
    assert list(wrong.check()) == ["clock_wrong"]
    assert "11 years ahead" in wrong.check()["clock_wrong"]
    made = "dijkwacht_agent_rows_made_total"
    with wrong.running() as said:
        wait_for(lambda: any("11 years ahead; what is seen is kept" in line for line in said))
        assert "11 jaar voor" in wrong.check("nl")["in_trouble"]
        assert metric(secure, made, of("years-ahead")) == 0
        wrong.clock("+0")
        wait_for(lambda: any("the collector answers again" in line for line in said), 120)
        wait_for(lambda: metric(secure, made, of("years-ahead")) > 0)
        assert "clock_right" in wrong.check()
    assert (wrong.state / "identity.pem").read_bytes() == joined
    assert Identity(wrong.state).version == 1
