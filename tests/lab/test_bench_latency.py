"""A load that is refused is not reached."""

import asyncio

from dijkwacht_lab.bench import latency
from dijkwacht_lab.bench.served import request


async def answer(reader, writer):
    """As a collector that has no room for some."""
    while head := await reader.readline():
        while (line := await reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length"):
                body = int(line.split()[1])
        refuses = await reader.readexactly(body) == b"too much"
        writer.write(b"HTTP/1.1 %d ?\r\nContent-Length: 2\r\n\r\n{}" % (503 if refuses else 200))
        await writer.drain()
        assert head.startswith(b"POST")
    writer.close()


def test_posts_that_were_not_taken_are_counted():
    posts = [request(b"too much" if n % 4 == 0 else b"rows", "token") for n in range(40)]

    async def offer():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        scans = {"attacked": request(b"scan", "token")}
        offered = await latency._offer(port, posts, 2000, scans, lambda _: None)
        server.close()
        return offered

    offered = asyncio.run(offer())
    assert offered.refused == 10
    assert list(offered.sent) == ["attacked"]
