"""What both sides of a TLS handshake said, over TCP or QUIC, as one row of ``tls``."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import endpoints
from dijkwacht_agent.flows import Flow
from dijkwacht_agent.protocols.certificate import Certificate
from dijkwacht_agent.protocols.client_hello import ClientHello
from dijkwacht_agent.protocols.server_hello import TLS_1_3, ServerHello
from dijkwacht_records.tables import TABLES, TLS, Row

TLS_TABLE: Final = TABLES.index(TLS)


class Handshake:
    """``alert``: the first fatal one, plus one; ``renewed``: the server went on without a certificate."""

    __slots__ = ("alert", "answer", "certificate", "hello", "renewed")

    def __init__(self) -> None:
        self.hello: ClientHello | None = None
        self.answer: ServerHello | None = None
        self.certificate: Certificate | None = None
        self.alert = 0
        self.renewed = False

    @property
    def resumed(self) -> bool:
        """The server took up a session that it had before."""
        hello, answer = self.hello, self.answer
        if hello is None or answer is None or self.certificate is not None:
            return False
        if answer.version >= TLS_1_3:
            return answer.by_key
        return self.renewed or (answer.session != b"" and answer.session == hello.session)

    def row(self, time: int, flow: Flow, *, from_orig: bool) -> Row | None:
        """The row at ``time``, the originator being the client or not; ``None`` without a ClientHello."""
        hello, answer = self.hello, self.answer
        if hello is None:
            return None
        client, server = endpoints(flow.key)
        port = flow.resp_p
        if not from_orig:
            client, server, port = server, client, flow.orig_p
        head = (time, flow.flow_id, client, server, port, hello.version, hello.server_name)
        chosen = (0, 0, hello.alpn, 0)
        if answer is not None:
            mark = 0 if answer.retry else answer.fingerprint
            chosen = (answer.version, answer.cipher, answer.alpn or hello.alpn, mark)
        shown = self.certificate or (0, 0, 0)
        return (
            *head,
            flow.proto,
            hello.ja4,
            hello.flags,
            *chosen,
            int(self.resumed),
            *shown,
            self.alert,
        )
