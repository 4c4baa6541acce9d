"""The streaming core in a program of its own: a text is written once, and read by whoever comes, whenever they come."""

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import create_async_engine

from tributary_streams import EngineTransactions, Piece, Streams, create_tables


async def counting() -> AsyncIterator[str]:
    for number in range(1, 1000):
        yield f"This is sentence {number}. "
        await asyncio.sleep(0.01)


async def main() -> None:
    transactions = EngineTransactions(create_async_engine("sqlite+aiosqlite:///streams.db"))
    await create_tables(transactions)
    async with Streams(transactions) as streams:
        stream_id = await streams.create()
        streams.write(stream_id, counting())
        async for piece in streams.follow(stream_id):
            print(piece)
            if isinstance(piece, Piece) and "sentence 3." in piece.text:
                await streams.stop(stream_id)
        print(await streams.body(stream_id, offset=20))
        await streams.delete(stream_id)
    await transactions.close()


asyncio.run(main())
