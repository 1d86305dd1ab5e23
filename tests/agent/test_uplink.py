import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import (
    LONGEST_PAUSE_S,
    UNAUTHORISED_PAUSE_S,
    Post,
    Uplink,
    endpoint,
    read_answer,
)
from dijkwacht_records.errors import (
    CollectorBusy,
    MalformedBatch,
    NotAuthorised,
    RejectedBatch,
    TransferError,
    UnknownContract,
)
from dijkwacht_records.replies import Refusal, Reply, encode_reply
from dijkwacht_records.troubles import DISK_FULL, TROUBLES

TOKEN = "dw_secret"
REPLY = Reply(0, False, 5_000_000)


def clock():
    return time.time_ns() // 1000


@pytest.fixture(name="spool")
def _spool(tmp_path):
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def uplink_over(spool, *answers, **options):
    """An uplink whose collector gives ``answers``: replies, or errors to raise."""
    script = iter(answers)

    def post(_wire):
        answer = next(script)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return Uplink(
        spool, post, options.pop("clock", lambda: 4_000_000), jitter=lambda: 0.5, **options
    )


def test_batches_arrive_in_order_over_one_connection(spool, collector):
    bodies = [b"batch %d" % n for n in range(50)]
    for body in bodies:
        spool.append(body, 2)
    uplink = Uplink(spool, Post(collector.url, TOKEN), clock)
    uplink.start()
    assert uplink.stop(drain_s=30)
    assert collector.received == bodies
    assert uplink.rows_sent == 100
    assert not uplink.trouble
    assert not uplink.alive


def test_a_connection_closed_while_idle_is_opened_again_at_once(collector):
    post = Post(collector.url, TOKEN)
    post(b"one")
    collector.script = [(None, b"")]
    post(b"two")
    assert collector.received == [b"one", b"two"]
    post.close()


def test_a_path_in_the_url_stays_in_front(collector):
    post = Post(collector.url + "/lab/", TOKEN)
    post(b"one")
    post.close()
    assert collector.paths == ["/lab/v1/batches"]


def test_what_is_wrong_with_the_agent_is_said_beside_a_batch_and_nothing_else_is(collector):
    wrong = []
    post = Post(collector.url, TOKEN, troubles=lambda: wrong)
    post(b"one")
    wrong.append(DISK_FULL)
    post(b"two")
    wrong.clear()
    post(b"three")
    post.close()
    assert collector.troubles == [None, "disk-full", None]
    assert {"disk-full"} == TROUBLES


@pytest.mark.parametrize("reason", ["malformed", "too_large", "news"])
def test_a_rejected_batch_is_dropped_and_counted_by_reason(spool, reason):
    spool.append(b"bad", 7)
    error = RejectedBatch("no")
    body = encode_reply(Refusal(reason, "no"))
    with pytest.raises(RejectedBatch) as caught:
        read_answer(400, body)
    error = caught.value
    uplink = uplink_over(spool, error)
    assert uplink.send(spool.peek()) == 0
    assert spool.peek() is None
    assert sum(uplink.rows_rejected.values()) == 7
    assert uplink.rows_rejected[reason if reason != "news" else "rejected"] == 7


def test_busy_keeps_the_batch_and_waits_as_asked(spool):
    spool.append(b"a", 1)
    uplink = uplink_over(spool, CollectorBusy("full", retry_after_s=7))
    assert uplink.send(spool.peek()) == 7
    assert spool.rows_waiting == 1


def test_an_unknown_token_keeps_the_batch_and_says_so(spool):
    spool.append(b"a", 1)
    uplink = uplink_over(spool, NotAuthorised("who are you?"))
    assert uplink.send(spool.peek()) == UNAUTHORISED_PAUSE_S
    assert spool.rows_waiting == 1
    assert uplink.trouble.key == "trouble_unknown"


def test_an_unreachable_collector_is_asked_less_and_less(spool):
    spool.append(b"a", 1)
    uplink = uplink_over(spool, *[ConnectionRefusedError("refused")] * 12, REPLY, OSError())
    pauses = [uplink.send(spool.peek()) for _ in range(12)]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert uplink.trouble.values["why"].key == "os_refused"
    assert uplink.send(spool.peek()) == 0
    assert not uplink.trouble
    spool.append(b"b", 1)
    assert uplink.send(spool.peek()) == 0.5


def test_the_clock_offset_is_the_collectors_minus_ours(spool):
    spool.append(b"a", 1)
    uplink = uplink_over(spool, REPLY)
    uplink.send(spool.peek())
    assert uplink.clock_offset == 1_000_000


def test_a_reply_after_a_long_wait_says_nothing_of_the_clock(spool):
    times = iter([0, 60_000_000])
    spool.append(b"a", 1)
    uplink = uplink_over(spool, REPLY, clock=lambda: next(times))
    uplink.send(spool.peek())
    assert uplink.clock_offset == 0
    assert uplink.last_reply == 60_000_000


def test_replies_are_handed_on(spool):
    got = []
    spool.append(b"a", 1)
    uplink_over(spool, REPLY, on_reply=got.append).send(spool.peek())
    assert got == [REPLY]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>Welcome to the hotel", TransferError),
        (200, b"{}", TransferError),
        (204, b"", TransferError),
        (302, b"", TransferError),
        (404, b"nginx", TransferError),
        (400, b"<html>plain HTTP request was sent to HTTPS port", TransferError),
        (401, b"", NotAuthorised),
        (403, b"", NotAuthorised),
        (429, b"", CollectorBusy),
        (500, b"", CollectorBusy),
        (502, b"<html>", CollectorBusy),
        (503, encode_reply(Refusal("busy", "full")), CollectorBusy),
        (400, b'{"reason":"malformed","message":"\xff"}', TransferError),
        (400, b'{"reason":' + b"[" * 500_000, TransferError),
    ],
)
def test_only_a_collectors_refusal_costs_a_batch(status, body, error):
    with pytest.raises(error) as caught:
        read_answer(status, body)
    assert not isinstance(caught.value, RejectedBatch)


@pytest.mark.parametrize(
    ("error", "read_as"), [(MalformedBatch, RejectedBatch), (UnknownContract, UnknownContract)]
)
def test_the_error_tree_is_read_back(error, read_as):
    with pytest.raises(read_as) as caught:
        read_answer(error.status, encode_reply(Refusal(error.reason, "no")))
    assert caught.value.reason == error.reason


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("7", 7.0),
        ("0", 0.1),
        ("99999", LONGEST_PAUSE_S),
        (None, 1.0),
        ("soon", 1.0),
        ("\u00b2", 1.0),
    ],
)
def test_retry_after_is_read_within_reason(text, pause):
    with pytest.raises(CollectorBusy) as caught:
        read_answer(503, b"", text)
    assert caught.value.retry_after_s == pause


def test_a_collector_that_was_away_gets_everything(spool, collector):
    collector.script = [(503, b"", [("Retry-After", "0")]), (None, b""), (500, b"")]
    for n in range(5):
        spool.append(b"%d" % n, 1)
    uplink = Uplink(spool, Post(collector.url, TOKEN), clock, jitter=lambda: 0.0)
    uplink.start()
    assert uplink.stop(drain_s=30)
    assert collector.received == [b"%d" % n for n in range(5)]


@given(
    script=st.lists(
        st.sampled_from(["ok", "reject", "busy", "away", "unknown", "append"]), max_size=60
    )
)
def test_every_row_is_sent_rejected_shed_or_waiting(tmp_path_factory, script):
    spool = Spool(tmp_path_factory.mktemp("spool"), max_bytes=6_000)
    answers = {
        "ok": REPLY,
        "append": REPLY,
        "reject": RejectedBatch("no"),
        "busy": CollectorBusy("full"),
        "away": OSError("away"),
        "unknown": NotAuthorised("who?"),
    }
    made = 0
    for word in script:
        spool.append(bytes(900), 3)
        made += 3
        record = spool.peek()
        if word == "append":  # more comes while one is on its way, so that it may be shed
            for _ in range(7):
                spool.append(bytes(900), 3)
                made += 3
        uplink = uplink_over(spool, answers[word])
        uplink.send(record)
        told = uplink.rows_sent + sum(uplink.rows_rejected.values())
        made -= told
        assert made == spool.rows_waiting + spool.rows_shed
    spool.close()


def test_where_a_url_leads():
    assert endpoint("http://127.0.0.1:8470") == (bytes(10) + b"\xff\xff\x7f\x00\x00\x01", 8470)
    assert endpoint("https://[::1]") == (bytes(15) + b"\x01", 443)
    assert endpoint("https://nowhere.invalid") is None


def test_a_reply_with_more_than_we_know_is_read():
    body = msgspec.json.encode({"seq": 1, "duplicate": True, "clock": 2, "later": {}})
    assert read_answer(200, body) == Reply(1, True, 2)
