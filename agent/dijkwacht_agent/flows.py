"""The flow table: bounded, driven by event time alone, cut into parts.

A flow gives one row within a second of its first packet (``open``), one each 15 s while it moves
(``update``) and one when it is over (``end``); a flow that is over within its first second gives
only the last. Every deadline is exact in event time, so that how often anybody looks changes
nothing. When the table is full, the oldest unanswered flow goes first: a flood of attempts pushes
out itself and nobody else.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import Final

from dijkwacht_agent.conn_states import conn_state, is_answer
from dijkwacht_agent.dissect import endpoints, reverse
from dijkwacht_agent.floods import Floods
from dijkwacht_agent.flow import (
    LOCAL_ORIG,
    LOCAL_RESP,
    ORIG_SENT,
    RESP_SENT,
    SECOND,
    Conversation,
    Flow,
)
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.memory.room import Room
from dijkwacht_agent.turn_taking import end_turns, tell_turns
from dijkwacht_records.tables import FLOWS, TABLES, FlowState

OPEN_AFTER: Final = 1 * SECOND
UPDATE_EVERY: Final = 15 * SECOND
WAIT: Final = 1 * SECOND
"""How long a conversation may wait for an answer; one and the same for all, so that they fall due in order."""
LINGER: Final = 1 * SECOND
"""How long a closed connection still collects its stragglers."""
__all__ = ["Flow", "FlowTable"]

MAX_FLOWS: Final = 16_384
NEVER: Final = 1 << 62

_TABLE: Final = TABLES.index(FLOWS)
_OPEN, _UPDATE, _END = map(int, (FlowState.OPEN, FlowState.UPDATE, FlowState.END))
_row_time = itemgetter(0)


class FlowTable:
    """At most ``max_flows`` flows; rows go to ``made``.

    ``by_key`` holds each flow under the keys of both its directions; the meter counts packets into
    flows it finds there and calls the table for everything rarer. ``due`` is the event time in µs
    at which `run` must be called next. ``counts_floods``: flows that are given up before their first
    row are counted in ``floods`` instead.
    """

    def __init__(self, inside: LocalNetworks, made: MadeRows, max_flows: int = MAX_FLOWS) -> None:
        self.by_key: dict[bytes, Flow] = {}
        self.active = 0
        self.evicted = 0
        self.due = NEVER
        self.counts_floods = True
        self._made = made
        self._rows, self._order = made.tables[_TABLE], made.order
        self._inside = inside
        self.room = Room()
        self.floods = Floods(made)
        self._max_flows = max(max_flows, 1)
        # Queues may hold this many flows more than are active before they are swept.
        self._slack = max_flows // 4 + 64
        self._last_id = 0
        self._fresh: deque[Flow] = deque()  # in their first second, oldest first
        self._timers: list[tuple[int, int, Flow]] = []  # a heap, of all that are older or closed
        self._waiting: deque[tuple[int, Conversation]] = deque()
        self._unanswered: deque[Flow] = deque()
        self._answered: deque[Flow] = deque()

    def begin(self, key: bytes, proto: int, sport: int, dport: int, flags: int, time: int) -> Flow:
        """Make room for and return the flow of a first packet; the caller counts the packet."""
        other = reverse(key)
        if is_answer(proto, sport, dport, flags, key):
            flow = self._enter(other, key, proto, dport, sport, time)
        else:
            flow = self._enter(key, other, proto, sport, dport, time)
        if not self._fresh:
            self.due = min(self.due, time + OPEN_AFTER)
        self._fresh.append(flow)
        return flow

    def begin_told(
        self, key: bytes, proto: int, orig_p: int, resp_p: int, start: int, time: int
    ) -> Flow:
        """The same for a flow that began at ``start`` and is told of at ``time``, ``key`` its originator's."""
        flow = self._enter(key, reverse(key), proto, orig_p, resp_p, time)
        flow.start = start
        self._schedule(flow, time + OPEN_AFTER)
        return flow

    def _enter(
        self, key: bytes, back_key: bytes, proto: int, orig_p: int, resp_p: int, time: int
    ) -> Flow:
        if self.active >= self._max_flows:
            self._evict(time)
        self._last_id += 1
        flow = Flow(self._last_id, key, back_key, proto, orig_p, resp_p, time)
        orig_h, resp_h = endpoints(flow.key)
        inside = self._inside
        flow.marks = (LOCAL_ORIG if orig_h in inside else 0) | (
            LOCAL_RESP if resp_h in inside else 0
        )
        self.by_key[key] = self.by_key[back_key] = flow
        self.active += 1
        bound = self._max_flows + self._slack
        if len(self._unanswered) + len(self._answered) > bound or len(self._fresh) > bound:
            self._sweep_ended()
        self._unanswered.append(flow)
        return flow

    def close(self, flow: Flow, time: int) -> None:
        """TCP has ended ``flow``: it is over when its stragglers had a moment."""
        flow.closed = time or 1
        self._schedule(flow, time + LINGER)

    def wait(self, conversation: Conversation, time: int) -> None:
        """Tell ``conversation`` to give up when `WAIT` has gone by since ``time``, now."""
        self._waiting.append((time + WAIT, conversation))
        self.due = min(self.due, time + WAIT)

    def run(self, now: int) -> None:
        """Do everything that is due up to ``now``; rows of one run are in order of row time."""
        fresh, timers, waiting = self._fresh, self._timers, self._waiting
        while waiting and waiting[0][0] <= now:
            due, conversation = waiting.popleft()
            conversation.give_up(due, self._made)
        first = len(self._rows)
        while fresh and fresh[0].start + OPEN_AFTER <= now:
            flow = fresh.popleft()
            if flow.key:
                self._look_at(flow, flow.start + OPEN_AFTER)
        while timers and timers[0][0] <= now:
            due, _, flow = heappop(timers)
            if flow.key:
                self._look_at(flow, due)
        self.due = timers[0][0] if timers else NEVER
        if fresh:
            self.due = min(self.due, fresh[0].start + OPEN_AFTER)
        if waiting:
            self.due = min(self.due, waiting[0][0])
        self._in_order(first)
        if self.floods.due <= now:
            self.floods.tell()
        self.due = min(self.due, self.floods.due)

    def end(self, flow: Flow) -> None:
        """Write the last part of ``flow`` and forget it."""
        self._cut(flow, _END, flow.last)
        self._forget(flow)

    def _forget(self, flow: Flow) -> None:
        del self.by_key[flow.key]
        self.by_key.pop(flow.back_key, None)  # the same key, if a host talks to itself
        flow.key = flow.back_key = b""
        self.active -= 1
        if flow.conversation is not None:
            self.room.release(flow)

    def end_all(self) -> None:
        """Write the last part of every flow, in order of row time."""
        first = len(self._rows)
        for _, flow in sorted({flow.flow_id: flow for flow in self.by_key.values()}.items()):
            self.end(flow)
        self._fresh.clear()
        self._waiting.clear()
        self._timers.clear()
        self._unanswered.clear()
        self._answered.clear()
        self.due = NEVER
        self._in_order(first)
        self.floods.tell()

    def _look_at(self, flow: Flow, now: int) -> None:
        """A timer of ``flow`` rang: end it, cut a part, or look again later."""
        over = flow.closed + LINGER if flow.closed else flow.last + flow.idle_limit()
        if now >= over:
            self.end(flow)
            return
        if not flow.closed and (flow.part == 0 or now >= flow.cut + UPDATE_EVERY):
            if flow.part == 0:
                self._cut(flow, _OPEN, now)
            elif flow.orig_pkts or flow.resp_pkts:
                self._cut(flow, _UPDATE, now)
            else:
                flow.cut = now
        self._schedule(flow, over if flow.closed else min(over, flow.cut + UPDATE_EVERY))

    def _schedule(self, flow: Flow, due: int) -> None:
        # An active flow has at most two: one from its last part and one from its closing.
        if len(self._timers) > 2 * self._max_flows + self._slack:
            self._sweep_ended()
        heappush(self._timers, (due, flow.flow_id, flow))
        self.due = min(self.due, due)

    def _cut(self, flow: Flow, state: int, now: int) -> None:
        """Write the part of ``flow`` that moved since the last one."""
        orig_h, resp_h = endpoints(flow.key)
        self._order.append(_TABLE)
        self._rows.append(
            (
                flow.last,
                flow.start,
                flow.flow_id,
                flow.part,
                state,
                orig_h,
                resp_h,
                flow.orig_p,
                flow.resp_p,
                flow.proto,
                flow.key[-2] << 8 | flow.key[-1],
                int(conn_state(flow)),
                flow.orig_flags,
                flow.resp_flags,
                flow.orig_pkts,
                flow.resp_pkts,
                flow.orig_bytes,
                flow.resp_bytes,
                flow.marks & LOCAL_ORIG,
                flow.marks >> 1 & 1,
                flow.hints,
            )
        )
        flow.hints = 0
        flow.part += 1
        flow.cut = now
        flow.orig_seen |= flow.orig_flags
        flow.resp_seen |= flow.resp_flags
        if flow.orig_pkts:
            flow.marks |= ORIG_SENT
        if flow.resp_pkts:
            flow.marks |= RESP_SENT
        if flow.speaker is not None:
            if state == _END:
                end_turns(flow)
            tell_turns(flow, self._made)
            flow.orig_held += flow.orig_bytes
            flow.resp_held += flow.resp_bytes
        flow.orig_pkts = flow.orig_bytes = flow.orig_flags = 0
        flow.resp_pkts = flow.resp_bytes = flow.resp_flags = 0
        if flow.conversation is not None:
            flow.conversation.facts(flow, self._made)
            if flow.conversation is not None and flow.conversation.over:
                self.room.release(flow)
                flow.conversation, flow.listening = None, 0

    def _evict(self, time: int) -> None:
        """Give up the oldest unanswered flow, or the oldest of all if every one was answered.

        One that nobody answered and that has given no row is counted with others like it.
        """
        while self._unanswered:
            flow = self._unanswered.popleft()
            if not flow.key:
                continue
            if not flow.answered:
                break
            self._answered.append(flow)
        else:
            while not (flow := self._answered.popleft()).key:
                pass
        self.evicted += 1
        if flow.part or flow.resp_pkts or flow.conversation is not None or not self.counts_floods:
            self.end(flow)
            return
        self.due = min(self.due, self.floods.count(flow, time))
        self._forget(flow)

    def _sweep_ended(self) -> None:
        """Drop timers and places in the queues that belong to flows already over."""
        self._timers[:] = [timer for timer in self._timers if timer[2].key]
        heapify(self._timers)
        for queue in (self._fresh, self._unanswered, self._answered):
            active = [flow for flow in queue if flow.key]
            queue.clear()
            queue.extend(active)

    def _in_order(self, first: int) -> None:
        """Sort the rows made since ``first`` by row time: no others were made between them."""
        if len(self._rows) - first > 1:
            self._rows[first:] = sorted(self._rows[first:], key=_row_time)
