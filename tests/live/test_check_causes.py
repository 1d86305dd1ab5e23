"""`dijkwacht-agent check` on a machine where something is really wrong: each cause made, and told in both languages."""

import json
import shlex
import subprocess
import sys

import pytest

from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, write_private, write_settings

pytestmark = pytest.mark.live("ip")  # the others are essential: util-linux, mount
NOWHERE = "http://192.0.2.1:8470"
CARD = "ip link add dw0 type veth peer name dw1; ip addr add 10.77.9.2/24 dev dw0; ip link set dw1 up; ip link set dw0 up; ip link set lo up; "


def joined(state, url=NOWHERE):
    state.mkdir(exist_ok=True)
    read_or_make_key(state / KEY_FILE)
    write_private(state / "token", b"dw_secret")
    write_settings(state, Settings(site="bakery", agent="till", url=url, interface="dw0"))
    return state


def check(state, prepare=CARD, language="en", before=""):
    """What ``check`` says in a network and a mount namespace of its own: key → (ok, sentence)."""
    command = [
        sys.executable, "-m", "dijkwacht_agent", "--state", str(state), "check", "--json",
        "--seconds", "1", "--lang", language,
    ]  # fmt: skip
    script = f"{prepare}exec {before} {shlex.join(command)}"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == int(any(not one["ok"] for one in found))
    return {one["check"]: (one["ok"], one["message"]) for one in found}


def told(state, key, words, **options):
    """``key`` is wrong, and ``words`` say so, one for each language."""
    for language, word in zip(("en", "nl"), words, strict=True):
        ok, sentence = check(state, language=language, **options)[key]
        assert not ok
        assert word in sentence, sentence


def test_no_route(tmp_path):
    words = "there is no way to it (perhaps the cable is out)", "er is geen weg naartoe"
    told(joined(tmp_path / "state"), "collector_silent", words)


def test_no_names(tmp_path):
    state = joined(tmp_path / "state", "http://collector.dijkwacht.example:8470")
    words = "that name is not known (perhaps the internet does not work", "die naam is niet bekend"
    told(state, "collector_silent", words)


def test_a_collector_that_refuses(tmp_path):
    state = joined(tmp_path / "state", "http://10.77.9.2:1")
    told(state, "collector_silent", ("nothing listens at that address", "luistert niets"))


def test_no_right_to_capture(tmp_path):
    words = "capturing needs the right CAP_NET_RAW", "meeluisteren vraagt het recht CAP_NET_RAW"
    before = "setpriv --bounding-set=-net_raw --inh-caps=-net_raw"
    told(joined(tmp_path / "state"), "capture_fails", words, before=before)


def test_an_interface_that_is_down(tmp_path):
    words = "Is the cable in?", "Zit de kabel erin?"
    prepare = CARD + "ip link set dw0 down; "
    told(joined(tmp_path / "state"), "interface_down", words, prepare=prepare)


def test_no_mirror(tmp_path):
    # Only what this machine says itself: to everybody, and to a neighbour that is made up.
    talk = (
        "ip neigh add 10.77.9.3 lladdr 02:00:00:00:00:03 dev dw0; "
        "(for n in $(seq 30); do echo hello > /dev/udp/10.77.9.3/9; sleep 0.1; done) & "
    )
    script = CARD + f"bash -c {shlex.quote(talk)}; "
    for language, word in (("en", "mirror port of the switch"), ("nl", "spiegelpoort")):
        found = check(joined(tmp_path / "state"), prepare=script, language=language)
        assert word in found["share_own"][1]


def test_nothing_passes(tmp_path):
    prepare = CARD + "echo 1 > /proc/sys/net/ipv6/conf/dw0/disable_ipv6; "
    found = check(joined(tmp_path / "state"), prepare=prepare)
    assert found.keys() & {"share_none", "share_own"}


def test_a_disk_that_is_full(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    source = joined(tmp_path / "kept")
    prepare = (
        CARD + f"mount -t tmpfs -o size=64k,mode=700 tmpfs {state}; cp -p {source}/* {state}/; "
        f"dd if=/dev/zero of={state}/filler bs=1k count=100 2>/dev/null; "
    )
    words = "the disk is full. What cannot be sent at once is lost. Make room", "de schijf is vol"
    told(state, "disk_takes_nothing", words, prepare=prepare)


def test_a_key_without_a_copy_a_service_that_does_not_run_and_an_agent_that_has_not_joined(
    tmp_path,
):
    found = check(joined(tmp_path / "state"))
    assert found["key_without_copy"][0]
    assert "dijkwacht-agent key save FILE" in found["key_without_copy"][1]
    assert "nobody watches. Start it: sudo systemctl" in found["not_running"][1]
    empty = tmp_path / "empty"
    empty.mkdir()
    write_settings(empty, Settings(interface="dw0"))
    found = check(empty)
    assert not found["not_joined"][0]
    assert "Ask for a join code" in found["not_joined"][1]
