"""A chat as Reflex's own examples write it: a list of messages, the last of them growing, a `yield` for each delta."""

from collections.abc import AsyncGenerator
from typing import Any

import reflex as rx
from openai import AsyncOpenAI


class Chat(rx.State):
    """All there is."""

    messages: list[dict[str, str]] = []  # noqa: RUF012  # Reflex copies the defaults of its vars

    @rx.event
    async def send(self, form: dict[str, Any]) -> AsyncGenerator[None]:
        """Ask the model, and show its reply as it grows."""
        self.messages.append({"role": "user", "text": form["text"]})
        self.messages.append({"role": "assistant", "text": ""})
        yield
        stream = await AsyncOpenAI().chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": form["text"]}], stream=True
        )
        async for part in stream:
            if part.choices and (text := part.choices[0].delta.content):
                self.messages[-1]["text"] += text
                yield


def index() -> rx.Component:
    """The transcript, and a line to write on."""
    return rx.el.main(
        rx.foreach(Chat.messages, lambda message: rx.el.p(message["text"], class_name=message["role"])),
        rx.el.form(rx.el.input(name="text", aria_label="Message"), on_submit=Chat.send, reset_on_submit=True),
    )


app = rx.App()
app.add_page(index, route="/")
