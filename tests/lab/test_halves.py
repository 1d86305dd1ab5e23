"""Half of the captures is looked at, half is measured on: by author, and each file in one of them."""

from pathlib import Path

import pytest

from dijkwacht_lab.halves import choose_half, half_of_benign
from dijkwacht_lab.labels import Labelled, read_lists


def listed(kind, name):
    return Labelled(kind, name, Path("somewhere") / name, "all", "", 99)


ATTACKS = [
    listed("c2.rat", "c2/jstrosch__rat.pcap"),
    listed("c2.rat", "c2/somebody__rat.pcap"),
    *(listed("dns.tunnel", f"dns/domainator__{name}.pcap") for name in "cab"),
]
BOTH = [listed("robust.odd", "robust/x__y.pcap"), listed("hostmetric.cpu", "hostmetric/x__y.csv")]


def names(chosen):
    return [item.path.name.removesuffix(".pcap") for item in chosen]


def test_an_author_is_in_one_half_and_one_is_dealt_out_in_the_order_of_names():
    assert names(choose_half(ATTACKS, "A")) == ["jstrosch__rat", "domainator__c", "domainator__a"]
    assert names(choose_half(ATTACKS, "B")) == ["somebody__rat", "domainator__b"]


def test_what_is_no_attack_is_in_both():
    assert choose_half(BOTH, "A") == choose_half(BOTH, "B") == BOTH


def test_a_benign_file_is_where_calibration_puts_it():
    files = [listed("benign.app", f"benign/app__{n}.pcap") for n in range(40)]
    chosen = choose_half(files, "A")
    assert chosen == [item for item in files if half_of_benign(item.file) == "A"]
    assert 0 < len(chosen) < 40


@pytest.mark.captures
def test_the_halves_of_the_labelled_captures_are_as_agreed(captures):
    lists = [captures / "LABELS.csv", captures.parent / "captures-quiet" / "LABELS.csv"]
    files, _ = read_lists([path for path in lists if path.is_file()])

    def count(half, class_):
        return sum(item.class_ == class_ for item in choose_half(files, half))

    for class_, (a, b) in {
        "c2": (32, 32),
        "lateral": (24, 32),
        "exfil": (5, 5),
        "dns": (9, 13),
    }.items():
        assert (count("A", class_), count("B", class_)) == (a, b), class_
