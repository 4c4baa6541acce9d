"""A chat in Chainlit, as its documentation writes it."""

import chainlit as cl  # pyright: ignore[reportMissingImports]  # it has an environment of its own
from openai import AsyncOpenAI

client = AsyncOpenAI()


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Ask the model, and show its reply as it grows."""
    reply = cl.Message(content="")
    stream = await client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": message.content}], stream=True
    )
    async for part in stream:
        if part.choices and (text := part.choices[0].delta.content):
            await reply.stream_token(text)
    await reply.update()
