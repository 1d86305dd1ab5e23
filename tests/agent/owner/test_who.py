"""Who is behind a pseudonym: by the key, and by what the agent remembers."""

import json
import os
import subprocess

import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.join import DEVICES_FILE, KEY_FILE
from dijkwacht_agent.owner import device_memory
from dijkwacht_agent.owner.device_memory import read_memory
from dijkwacht_agent.owner.device_names import read_names, write_name
from dijkwacht_agent.owner.makers import find_makers, maker_of
from dijkwacht_agent.owner.unmasked_log import LOG_FILE, MAX_LOG_BYTES, note_opened, read_log
from dijkwacht_agent.owner.who import Who
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import write_private
from dijkwacht_records.addresses import format_address, pack_address
from dijkwacht_records.columns import Columns
from dijkwacht_records.errors import SettingsError

LAPTOP, PHONE = 0x001B21000001, 0x020000000002
NOW = 1_700_000_000_000_000


def test_all_three_lead_to_the_same_device(site, hidden):
    write_name(site.state, "00:1b:21:00:00:01", "till")
    who = Who(site.state)
    by_address, by_mac, by_name = (who.open(f"~{one}") for one in hidden)
    assert by_address.real == "10.1.2.3"
    assert by_mac.real == "00:1b:21:00:00:01"
    assert by_name.real == "annas-laptop"
    for found in (by_address, by_mac, by_name):
        assert (found.called, found.name, found.mac) == (
            "till",
            "Annas-Laptop",
            "00:1b:21:00:00:01",
        )
        assert (found.addresses, found.seen, found.others) == (["10.1.2.3"], NOW, [])


def test_the_mark_a_port_and_a_full_stop_make_no_difference(site, hidden):
    address = hidden[0]
    for text in (address, f"~{address}", f" ~{address}. ", f"~{address}:443", f"{address},"[:-1]):
        assert Who(site.state).open(text).real == "10.1.2.3"


def test_an_address_that_was_never_met_opens_all_the_same(site):
    pseudonym = format_address(site.privacy.address(pack_address("192.168.9.8")))
    found = Who(site.state).open(pseudonym)
    assert (found.real, found.seen, found.mac) == ("192.168.9.8", 0, "")


def test_names_reverse_names_and_public_addresses_inside(site):
    who_asked = {
        "nas.local": site.privacy._names.name("nas.local"),
        "a-very-long-label-that-nobody-would-type.lan": site.privacy._names.name(
            "a-very-long-label-that-nobody-would-type.lan"
        ),
        "jans-iphone.ziggo": site.privacy._names.name("jans-iphone.ziggo"),
        "3.2.1.10.in-addr.arpa": site.privacy._names.name("3.2.1.10.in-addr.arpa"),
        "2.1.10.in-addr.arpa": site.privacy._names.name("2.1.10.in-addr.arpa"),
    }
    address = format_address(site.privacy.address(pack_address("2001:db8::7")))
    site.memory.keep(now=True)
    who = Who(site.state)
    for real, pseudonym in who_asked.items():
        assert pseudonym != real
        assert who.open(pseudonym).real == real
    assert who.open(address).real == "2001:db8::7"


def test_a_whole_sentence_and_only_what_is_marked_in_it(site, hidden):
    address, mac, name = hidden
    text = f"~{address} (~{mac}) asked ~{name} at 192.0.2.1, not 10.9.9.9."
    sentence, opened = Who(site.state).sentence(text)
    assert opened == [f"~{address}", f"~{mac}", f"~{name}"]
    assert f"~{address} [10.1.2.3, Annas-Laptop]" in sentence
    assert "192.0.2.1, not 10.9.9.9." in sentence


def test_a_text_of_before_there_was_a_mark(site, hidden):
    sentence, opened = Who(site.state).sentence(f"Disconnect {hidden[0]}.")
    assert opened == [f"~{hidden[0]}"]
    assert sentence == f"Disconnect {hidden[0]} [10.1.2.3, Annas-Laptop]."


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("192.0.2.1", "who_real"),
        ("laptop", "who_no_pseudonym"),
        ("", "who_no_pseudonym"),
        ("~00:1b:21~00000000", "who_forgotten"),
        ("~h-0000000000.local", "who_forgotten"),
        ("fd64:6a6b::1", "who_prefix"),
    ],
)
def test_what_cannot_be_opened_says_why(site, text, key):
    with pytest.raises(SettingsError) as caught:
        Who(site.state).open(text)
    assert caught.value.message.key == key


def test_without_a_key_nothing_opens_and_none_is_made(tmp_path):
    with pytest.raises(SettingsError) as caught:
        Who(tmp_path)
    assert caught.value.message.key == "who_no_key"
    assert not (tmp_path / KEY_FILE).exists()


def test_another_sites_key_opens_to_something_else(site, hidden, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    read_or_make_key(other / KEY_FILE)
    assert Who(other).open(hidden[0]).real != "10.1.2.3"
    with pytest.raises(SettingsError, match="if it is of this site"):
        Who(other).open(hidden[1])


def test_the_memory_survives_a_restart_and_a_damaged_file(site, hidden):
    again = site.again()
    assert again.memory.remembered == site.memory.remembered
    path = site.state / DEVICES_FILE
    assert path.stat().st_mode & 0o077 == 0
    for content in (b"", b"\xc1", path.read_bytes()[:-9], b"\x91\x02"):
        path.write_bytes(content)
        assert read_memory(path).devices == []


def test_a_flood_of_made_up_devices_pushes_out_no_lasting_one(site, hidden):
    for number in range(3 * device_memory.MOST_DEVICES):
        site.now += 1
        site.memory.see(Columns.of([site.claim(0x020000100000 + number, "10.9.9.9")]))
        site.memory.note_label(f"made-up-{number}")
    held = site.memory.remembered
    assert len(held.devices) < 2 * device_memory.MOST_DEVICES
    assert len(held.labels) == device_memory.MOST_LABELS
    assert any(device.mac == LAPTOP for device in held.devices)
    site.memory.keep(now=True)
    assert (site.state / DEVICES_FILE).stat().st_size < 1 << 20


def test_it_is_written_at_most_once_a_minute_and_a_full_disk_harms_nothing(
    site, hidden, monkeypatch
):
    path = site.state / DEVICES_FILE
    before = path.read_bytes()
    site.now += 1
    site.memory.see(Columns.of([site.claim(PHONE, "10.1.2.4")]))
    site.memory.keep()
    assert path.read_bytes() == before
    site.now += device_memory.WRITTEN_US

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(device_memory, "write_private", full)
    site.memory.keep()
    monkeypatch.undo()
    site.now += device_memory.WRITTEN_US
    site.memory.see(Columns.of([site.claim(PHONE, "10.1.2.4")]))
    site.memory.keep()
    assert len(read_memory(path).devices) == 2


def test_names_of_the_owner_are_plain_bounded_and_private(tmp_path):
    write_name(tmp_path, "00:1b:21:00:00:01", "  Anna\x1b[2J\u202e's laptop " + "x" * 99)
    (name,) = read_names(tmp_path).values()
    assert name.startswith("Anna[2J's laptop")
    assert len(name) == 60
    write_name(tmp_path, "00:1b:21:00:00:01", " ")
    assert read_names(tmp_path) == {}
    assert (tmp_path / "device-names.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("20-OUI.hwdb", "OUI:001B21*\n ID_OUI_FROM_DATABASE=Intel Corporate\n"),
        ("oui.txt", "00-1B-21   (hex)\t\tIntel\n001B21     (base 16)\t\tIntel Corporate\n"),
        ("nmap-mac-prefixes", "# x\n001B21 Intel Corporate\n"),
        ("manuf", "00:1B:21\tIntel Corporate\n"),
    ],
)
def test_makers_by_the_list_that_the_system_has(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert find_makers({0x001B21}, [tmp_path / "none", path]) == {0x001B21: "Intel Corporate"}
    assert find_makers({0x001B21}, [tmp_path / "none"]) == {}
    assert maker_of(PHONE) is None


def test_what_was_opened_is_written_down_and_bounded(tmp_path):
    note_opened(tmp_path, "page", ["~10.0.0.1"], "127.0.0.1")
    (entry,) = read_log(tmp_path)
    assert (entry.way, entry.what, entry.client) == ("page", ["~10.0.0.1"], "127.0.0.1")
    assert entry.uid == os.getuid()
    assert (tmp_path / LOG_FILE).stat().st_mode & 0o077 == 0
    for _ in range(2):
        with (tmp_path / LOG_FILE).open("ab") as file:
            file.write(b"x" * MAX_LOG_BYTES + b"\n")
        note_opened(tmp_path, "who", ["~10.0.0.2"])
    assert [one.way for one in read_log(tmp_path)] == ["who", "who"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * MAX_LOG_BYTES


def test_the_command_in_both_languages(site, hidden, capsys):
    state = ["--state", str(site.state)]
    assert main([*state, "who", f"~{hidden[0]}", "--lang", "nl"]) == 0
    out = capsys.readouterr().out
    assert f"achter ~{hidden[0]} zit 10.1.2.3" in out
    assert "noemt zichzelf: Annas-Laptop" in out
    assert main([*state, "who", *hidden, "--lang", "en"]) == 0
    assert capsys.readouterr().out.count("calls itself: Annas-Laptop") == 3
    assert main([*state, "who", hidden[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["real"] == "10.1.2.3"
    assert main([*state, "who", f"Disconnect ~{hidden[0]} now", "--lang", "en"]) == 0
    assert capsys.readouterr().out == f"Disconnect ~{hidden[0]} [10.1.2.3, Annas-Laptop] now\n"
    words = f"Disconnect ~{hidden[0]} now".split()
    assert main([*state, "who", *words, "--lang", "en"]) == 0
    assert capsys.readouterr().out == f"Disconnect ~{hidden[0]} [10.1.2.3, Annas-Laptop] now\n"
    assert main([*state, "who", "nobody", "--lang", "en"]) == 1
    assert "is no pseudonym" in capsys.readouterr().err
    assert main([*state, "who", "--log", "--lang", "en"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" in a text" in line for line in lines] == [False, False, False, True, True]
    assert all(f"~{hidden[0]}" in line for line in lines)


def test_a_text_from_standard_input(site, hidden, python):
    asked = subprocess.run(
        [*python, "-m", "dijkwacht_agent", "--state", site.state, "who", "-", "--lang", "nl"],
        input=f"Haal ~{hidden[0]} van het netwerk.\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.stdout == f"Haal ~{hidden[0]} [10.1.2.3, Annas-Laptop] van het netwerk.\n"


def test_nothing_in_a_letter_or_a_name_steers_the_terminal(site, hidden, capsys):
    state = ["--state", str(site.state)]
    assert main([*state, "who", f"\x1b]0;x\x07~{hidden[0]}\n\u202e and more"]) == 0
    label = site.privacy._names.name("evil\x1b[2jname.local")
    site.memory.keep(now=True)
    assert main([*state, "who", label]) == 0
    assert main([*state, "who", "\x1b[2J"]) == 1
    captured = capsys.readouterr()
    assert "\n\ufffd and more" in captured.out
    assert "evil\ufffd[2jname" in captured.out
    assert not {"\x1b", "\x07", "\u202e"} & {*captured.out, *captured.err}


def test_of_a_long_text_the_log_says_how_many_were_opened(site, hidden):
    note_opened(site.state, "sentence", [f"~10.0.{n >> 8}.{n & 255}" for n in range(1000)])
    [one] = read_log(site.state)
    assert (len(one.what), one.what[-1]) == (201, "+800")


def test_a_log_that_leads_elsewhere_is_not_written(site, hidden, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("root") / "shadow"
    elsewhere.write_bytes(b"")
    elsewhere.chmod(0o644)
    (site.state / LOG_FILE).symlink_to(elsewhere)
    assert main(["--state", str(site.state), "who", hidden[0], "--lang", "en"]) == 0
    assert "could not be written down" in capsys.readouterr().err
    assert (elsewhere.read_bytes(), elsewhere.stat().st_mode & 0o777) == (b"", 0o644)


def test_a_log_that_cannot_be_written_is_said_and_the_owner_still_knows(site, hidden, capsys):
    (site.state / LOG_FILE).mkdir()
    assert main(["--state", str(site.state), "who", hidden[0], "--lang", "en"]) == 0
    captured = capsys.readouterr()
    assert "10.1.2.3" in captured.out
    assert "could not be written down" in captured.err


def test_a_key_that_others_may_read_opens_nothing(site, hidden, capsys):
    (site.state / KEY_FILE).chmod(0o644)
    assert main(["--state", str(site.state), "who", hidden[0], "--lang", "en"]) == 1
    assert "other users may read the key" in capsys.readouterr().err
    write_private(site.state / KEY_FILE, bytes(3))
    assert main(["--state", str(site.state), "who", hidden[0], "--lang", "en"]) == 1
