import pickle
import re

import pytest

from dijkwacht_records import errors


def _tree(error: type, depth: int = 0):
    yield depth, error
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def test_the_tree_drawn_at_the_top_of_the_file_is_the_tree():
    lines = re.findall(
        r"^((?:[ │]*[├└]─ )?)([A-Z]\w+)(?: {2}|$)", errors.__doc__ or "", re.MULTILINE
    )
    drawn = [(len(indent) // 3, name) for indent, name in lines]
    assert drawn
    assert sorted(drawn) == sorted((d, e.__name__) for d, e in _tree(errors.DijkwachtError))


def test_every_error_says_what_it_means():
    for _, error in _tree(errors.DijkwachtError):
        assert error.__doc__


def test_the_status_answers_whether_the_same_data_would_work_later():
    for _, error in _tree(errors.RejectedBatch):
        assert error.status == 400
    assert errors.CollectorBusy.status == 503
    assert errors.CollectorBusy("full", retry_after_s=3).retry_after_s == 3
    assert errors.NotAuthorised.status == 401


def test_reasons_are_a_closed_set_of_different_words():
    reasons = [error.reason for _, error in _tree(errors.TransferError)]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[a-z_]+", reason) for reason in reasons)


def test_an_unreadable_input_names_file_place_and_what_was_expected():
    with pytest.raises(errors.UnreadableInput, match=r"a\.pcap: byte 24: expected a packet header"):
        raise errors.UnreadableInput("a.pcap", "byte 24", "a packet header")


def test_a_detectors_error_names_the_detector():
    assert str(errors.DetectorError("scan", "raised")) == "scan: raised"


@pytest.mark.parametrize(
    "error",
    [
        errors.DetectorError("scan", "no opinion"),
        errors.UnreadableInput("a.pcap", "start", "a capture"),
        errors.CollectorBusy("full", retry_after_s=3),
        errors.UnknownContract(9, [1, 2]),
    ],
)
def test_an_error_comes_back_whole_from_another_process(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.__dict__ == error.__dict__
