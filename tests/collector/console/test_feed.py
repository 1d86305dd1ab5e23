import asyncio
import json

import pytest

from dijkwacht_collector.console import Feed, pages
from dijkwacht_collector.console.feed import MEMORY, QUEUE


def drain(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_an_event_reaches_every_reader_in_order(feed, make):
    with feed.reader() as one, feed.reader() as two:
        feed.publish(make.event())
        feed.publish(make.event(activity="close"))
        for queue in (one, two):
            assert [(event.id, event.name) for event in drain(queue)] == [
                ("run-1", "incident"),
                ("run-2", "incident"),
            ]
    assert feed.readers == 0


def test_an_event_is_one_line_of_json_whatever_a_title_holds(feed, make):
    with feed.reader() as queue:
        feed.publish(make.event(make.incident(title_en="a\n\nevent: x\r\ndata: {}")))
        text = queue.get_nowait().encode().decode()
    lines = text.split("\n")
    assert lines[0] == "id: run-1"
    assert lines[1] == "event: incident"
    assert json.loads(lines[2].removeprefix("data: "))["title"]["en"].startswith("a\n\nevent")
    assert lines[3:] == ["", ""]
    assert "\r" not in text


def test_an_event_names_a_metric_as_the_page_does(feed, make):
    incident = make.incident(kind="host", title_en="load_ratio is 9", title_nl="load_ratio is 9")
    with feed.reader() as queue:
        feed.publish(make.event(incident))
        sent = json.loads(queue.get_nowait().data)
    assert sent["title"] == {"en": "load is 9", "nl": "belasting is 9"}


def test_a_reader_who_comes_back_gets_what_was_missed(feed, make):
    for _ in range(5):
        feed.publish(make.event())
    with feed.reader("run-3") as queue:
        assert [event.id for event in drain(queue)] == ["run-4", "run-5"]
    with feed.reader("run-5") as queue:
        assert queue.empty()


@pytest.mark.parametrize("last", ["run-0", "other-3", "run-999", "run-x", "x", "run--1", "\u0661"])
def test_an_id_no_longer_known_means_reload(feed, make, last):
    for _ in range(MEMORY + 10):
        feed.publish(make.event())
    with feed.reader(last) as queue:
        assert [event.name for event in drain(queue)] == ["reload"]


def test_a_slow_reader_has_to_reload_and_holds_up_nobody(feed, make):
    with feed.reader() as slow:
        for _ in range(QUEUE + 1):
            feed.publish(make.event())
        assert [event.name for event in drain(slow)] == ["reload"]
        feed.publish(make.event())
        assert [event.name for event in drain(slow)] == ["incident"]


async def read_until(stream, wanted):
    text = ""
    while wanted not in text:
        chunk = await asyncio.wait_for(stream.content.readany(), 10)
        assert chunk, f"the stream ended before {wanted!r}: {text!r}"
        text += chunk.decode()
    return text


async def test_the_stream_over_http(client, feed, make):
    feed.publish(make.event())
    async with client.get("/events", headers={"Last-Event-ID": "run-0"}) as stream:
        assert stream.content_type == "text/event-stream"
        assert "retry: 3000" in await read_until(stream, "id: run-1\nevent: incident")
        feed.publish(make.event())
        await read_until(stream, '"activity":"create"')
        feed.close()
        assert await stream.content.read() == b""


async def test_a_stream_without_events_carries_comments(client, monkeypatch):
    monkeypatch.setattr(pages, "HEARTBEAT_S", 0.01)
    async with client.get("/events") as stream:
        await read_until(stream, ": still here\n\n")


async def test_readers_are_bounded(client, feed, monkeypatch):
    monkeypatch.setattr(pages, "MAX_READERS", 1)
    async with client.get("/events") as first:
        await read_until(first, "retry")
        assert (await client.get("/events")).status == 503
    feed.close()


async def test_a_page_carries_the_id_its_stream_begins_at(client, feed, make):
    feed.publish(make.event())
    page = await (await client.get("/")).text()
    assert 'data-last="run-1"' in page


def test_closing_wakes_a_full_reader(make):
    feed = Feed("run")
    with feed.reader() as queue:
        for _ in range(QUEUE):
            feed.publish(make.event())
        feed.close()
        assert drain(queue)[-1] is None


def test_a_storys_step_says_how_often_it_called(feed, make):
    with feed.reader() as queue:
        feed.publish(make.story_event(make.story(called={"a1"}), "update"))
        sent = queue.get_nowait()
    assert sent.name == "story"
    told = json.loads(sent.data)
    assert (told["uid"], told["activity"], told["calls"]) == ("s1", "update", 1)
    assert told["title"]["nl"] == "~10.0.0.7 voelt aan de deuren van ~10.0.0.2"
