import msgspec
import pytest

from dijkwacht_records.enrolment import (
    Enrolment,
    agent_proof,
    collector_proof,
    is_proof,
    stretch,
)

KEYS = stretch(bytes(10))
ASKED = Enrolment(KEYS.id, "till", b"request", bytes(32), b"seen", b"")


def test_both_ends_derive_the_same_and_another_code_nothing_of_it():
    assert stretch(bytes(10)) == KEYS
    assert [len(key) for key in KEYS] == [16, 32, 32]
    parts = {*KEYS, *stretch(b"another-10")}
    assert len(parts) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"id": bytes(16)},
        {"agent": "oven"},
        {"request": b"another key"},
        {"nonce": bytes(31) + b"1"},
        {"seen": b"somebody else"},
        {"agent": "til", "request": b"lrequest"},
    ],
)
def test_a_proof_is_of_everything_that_was_said(change):
    other = msgspec.structs.replace(ASKED, **change)
    assert not is_proof(agent_proof(KEYS, other), agent_proof(KEYS, ASKED))
    assert not is_proof(collector_proof(KEYS, other, b"g"), collector_proof(KEYS, ASKED, b"g"))


def test_a_grant_is_proved_and_no_proof_serves_for_the_other():
    assert collector_proof(KEYS, ASKED, b"g") != collector_proof(KEYS, ASKED, b"h")
    assert collector_proof(KEYS, ASKED, b"") != agent_proof(KEYS, ASKED)
    same_keys = KEYS._replace(collector=KEYS.agent)
    assert collector_proof(same_keys, ASKED, b"") != agent_proof(same_keys, ASKED)
    said = msgspec.structs.replace(ASKED, proof=b"mine")
    assert agent_proof(KEYS, said) == agent_proof(KEYS, ASKED)
