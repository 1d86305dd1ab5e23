"""Domains that a program drew, against names that people and programs miss."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.generated_names import GeneratedNames
from dijkwacht_detectors.knowledge.inner_suffixes import INNER_SUFFIXES
from dijkwacht_detectors.knowledge.letter_pairs import letter_pairs, surprise
from dijkwacht_records.addresses import pack_address

SECOND, MINUTE = 1_000_000, 60_000_000
LINE = 3.8 + 0.5 * math.log(0.25 / GeneratedNames.share)
"""Where what is expected is as rare as an interruption may be."""
PC, RESOLVER = pack_address("192.168.1.20"), pack_address("192.168.1.5")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ("kaas", "markt", "fiets", "winkel", "garden", "school", "network", "house", "bakker", "travel", "hotel", "bank",
         "music", "water", "light", "paper", "tuin", "molen", "brood", "office", "store", "plant", "river", "stone")  # fmt: skip


def drawn(n, low=10, high=16, letters=LETTERS):
    draw = random.Random(f"name {n}")
    return "".join(draw.choices(letters, k=draw.randrange(low, high)))


def words(n):
    return "".join(random.Random(n).sample(WORDS, 2))


def misses(names, every=MINUTE, **values):
    row = {
        "orig_h": PC,
        "resp_h": pack_address("192.168.1.1"),
        "resp_p": 53,
        "qtype": 1,
        "rcode": 3,
    }
    return [row | {"time": n * every, "query": name} | values for n, name in enumerate(names)]


def top(rows):
    return float(np.nan_to_num(score_rows(GeneratedNames(), rows)).max(initial=0.0))


GUESSES = [f"{drawn(n)}.{('com', 'net', 'org', 'info')[n % 4]}" for n in range(120)]


@pytest.mark.parametrize("every", [SECOND // 2, MINUTE, 3 * MINUTE])
def test_drawn_names_are_told_however_slowly_they_come(every):
    assert top(misses(GUESSES, every)) > LINE


def test_digits_among_letters_are_drawn_too():
    hexadecimal = [f"{drawn(n, 12, 13, '0123456789abcdef')}.com" for n in range(120)]
    assert top(misses(hexadecimal)) > LINE


@pytest.mark.parametrize(
    ("low", "high", "tops"),
    [
        (12, 16, ("com", "net", "biz", "ru", "org", "co.uk")),
        (7, 21, ("tj", "in", "cc", "tv", "com", "pro", "bit")),
        (28, 29, ("info",)),
    ],
)
def test_generators_of_many_lengths_and_endings_are_told_at_one_name_in_two_minutes(
    low, high, tops
):
    names = [f"{drawn(n, low, high)}.{tops[n % len(tops)]}" for n in range(120)]
    assert top(misses(names, 2 * MINUTE)) > LINE


def test_names_that_can_be_spoken_count_for_their_rule():
    draw = random.Random(7)
    spoken = [
        "".join(draw.choice(part) for part in ("bcdfglmnprstv", "aeiou") * 4) for _ in range(200)
    ]
    regular = top(misses([f"{name}.com" for name in spoken]))
    ruleless = top(
        misses([f"{name[: 5 + n % 17]}.t{LETTERS[n % 26]}" for n, name in enumerate(spoken)])
    )
    assert regular < LINE
    assert 0.0 < ruleless < regular - 1.0


def test_words_that_nobody_has_are_hardly_anything():
    assert top(misses([f"{words(n)}.nl" for n in range(250)], SECOND)) < LINE - 1.0


@pytest.mark.parametrize(
    "name",
    [
        "{d}",
        "{d}.office.example",
        "{d}.fritz.box",
        "{d}.localdomain",
        "{d}.lan",
        "1.{d}.bl.example",
        "{d}.in-addr.arpa",
    ],
)
def test_probes_suffixes_and_names_below_a_domain_are_nothing(name):
    assert top(misses([name.format(d=drawn(n)) for n in range(120)])) == 0.0


@pytest.mark.parametrize("suffix", INNER_SUFFIXES)
def test_what_networks_call_themselves_is_no_domain(suffix):
    assert top(misses([f"{drawn(n)}.{suffix}" for n in range(20)])) == 0.0


@pytest.mark.parametrize(
    "values", [{"rcode": 0}, {"rcode": 2}, {"resp_p": 5353}, {"qtype": 16}, {"qtype": 15}]
)
def test_only_hosts_that_do_not_exist_count(values):
    assert top(misses(GUESSES, **values)) == 0.0


def test_a_domain_counts_once_however_it_is_asked_for():
    once = top(misses(GUESSES[:40]))
    rows = [row for name in GUESSES[:40] for row in misses([name, f"www.{name}", name], SECOND)]
    again = [row | {"time": n * 20 * SECOND, "qtype": (1, 28)[n % 2]} for n, row in enumerate(rows)]
    assert top(again) == pytest.approx(once, abs=1e-4)


def test_one_that_exists_after_a_row_of_misses_was_looked_for():
    tried, found = misses(GUESSES[:40]), misses([f"{drawn('it', 12, 13)}.com"], rcode=0, answers=1)
    found[0]["time"] = 40 * MINUTE
    scores, facts = Harness(GeneratedNames()).feed(tried + found)
    assert scores[-1] > scores[-2]
    assert facts[-1][GeneratedNames.facts.index("came_true")] == 1.0
    told = dict(zip(GeneratedNames.facts, facts[-1].tolist(), strict=True))
    assert "found one" in GeneratedNames().explain(told).title_en
    assert told["random_names"] == pytest.approx(facts[-2][0], rel=0.01), (
        "it is none that nobody has"
    )
    told["came_true"] = 0.0
    assert "found one" not in GeneratedNames().explain(told).title_en
    assert np.isnan(score_rows(GeneratedNames(), found)[0]), "alone it is a name"


def test_a_mail_server_looks_up_what_spammers_invent():
    asks = [row | {"qtype": 15, "question": 1} for row in misses(GUESSES, SECOND)]
    looked_up = [row for pair in zip(asks, misses(GUESSES, SECOND), strict=True) for row in pair]
    assert top(looked_up) < top(misses(GUESSES, SECOND)) - 1.8


def test_who_is_asked_asks_for_others():
    passed = []
    for row in misses(GUESSES):
        passed.append(row | {"question": 1, "rcode": 255, "resp_h": RESOLVER})
        passed.append(
            row
            | {
                "question": 1,
                "orig_h": RESOLVER,
                "resp_h": pack_address("9.9.9.9"),
                "time": row["time"] + 9,
            }
        )
        passed.append(row | {"resp_h": RESOLVER, "time": row["time"] + 99})
    scores = np.nan_to_num(score_rows(GeneratedNames(), passed))
    assert scores[2::3].max() > LINE
    assert scores[1::3].max() < LINE - 1.5


@pytest.mark.parametrize(
    "word", ["belastingdienst", "marktplaats", "instagram", "wordpress", "nieuwsbrief"]
)
def test_letters_of_words_surprise_less_than_those_by_chance(word):
    pairs = letter_pairs()
    assert pairs.shape == (26, 26)

    def bits(text):
        return surprise(pairs, np.frombuffer(text.encode(), np.uint8), 0, len(text))

    by_chance = np.mean([bits(drawn(n, len(word), len(word) + 1)) for n in range(50)])
    assert 2.0 < bits(word) < by_chance - 1.0
    assert bits("a") == 0.0
