"""A way to a server that a test can block: connections stay open, and nothing comes through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self


class Proxy:
    """Forwards to a port of this machine, until it is told to hang."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._pumps: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, target: int) -> AsyncIterator[Self]:
        """A proxy for the time of the block."""
        proxy = cls(target)
        server = await asyncio.start_server(proxy._connected, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for pump in proxy._pumps:
                pump.cancel()
            await asyncio.gather(*proxy._pumps, return_exceptions=True)

    def hang(self) -> None:
        """Let nothing through any more; what comes, new connections too, is taken and waits."""
        self._flows.clear()

    def go_on(self) -> None:
        """Let everything through that has waited, and what comes."""
        self._flows.set()

    def begin_anew(self) -> None:
        """Serve new connections; those that hang will do so for ever."""
        self._flows = asyncio.Event()
        self._flows.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flows = self._flows
        back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, forth), (back, writer)):
            pump = asyncio.create_task(_pump(source, sink, flows))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, flows: asyncio.Event) -> None:
    try:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                await flows.wait()
                sink.write(data)
                await sink.drain()
        await flows.wait()
    finally:
        sink.close()
