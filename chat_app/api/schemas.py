"""Schemas: what the HTTP interface accepts and returns."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chat_app.data.models import AttemptKind, ReplyMode, Role, ThreadSettings, Visibility
from chat_app.people.names import NAME_LENGTH
from chat_app.settings import MODEL_LENGTH
from chat_app.threads.message_views import MessageView
from chat_app.threads.reply_views import AttemptView, StreamView
from chat_app.threads.thread_views import ThreadView
from chat_app.threads.threads import MAX_TITLE
from tributary_streams import Granularity, StreamStatus

THREAD_ID = r"^[A-Za-z0-9_-]{22}$"
STREAM_ID = r"^[A-Za-z0-9_-]{22}$"
ID = "kZ0m4Vb2TtqkYw5n0hPz3A"
"""An example of either id."""


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


EVENT = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "id": {"type": "string", "pattern": r"^[0-9]+(\.end)?$"},
        "event": {"enum": ["text", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}
STREAMED = {
    "text/event-stream": {
        "schema": EVENT,
        "example": 'id: 5\r\nevent: text\r\ndata: {"offset": 0, "text": "Hello"}\r\n\r\n'
        'id: 5.end\r\nevent: end\r\ndata: {"status": "done", "reason": "", "offset": 5}\r\n\r\n',
    },
    "text/plain": {"schema": {"type": "string"}, "example": "Hello"},
}
"""A reply in its two streaming media types, for the OpenAPI document."""


class NewGuest(_Given):
    """A person to create, who takes part without a browser."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH)] | None = Field(
        default=None, description="If absent, a name is made up.", examples=["Build bot"]
    )


class NewThread(_Given):
    """A thread to begin."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TITLE)] | None = Field(
        default=None, description="If absent, it is made from the first message.", examples=["Release notes"]
    )
    reply_mode: Annotated[ReplyMode, Field(strict=False)] = Field(
        default=ReplyMode.MENTION, description="Which messages the AI answers."
    )
    visibility: Annotated[Visibility, Field(strict=False)] = Field(
        default=Visibility.OPEN, description="Who can open it: everybody, everybody with its address, or its members."
    )
    model: Annotated[str, StringConstraints(max_length=MODEL_LENGTH)] = Field(
        default="", description="Which of the server's models answers. If empty, the server's default."
    )
    granularity: Annotated[Granularity | None, Field(strict=False)] = Field(
        default=None, description="In what pieces followers get a reply. If null, the server's default."
    )

    @property
    def settings(self) -> ThreadSettings:
        """The thread's settings among these fields."""
        given = self.model_dump(include=set(ThreadSettings.model_fields), exclude_none=True)
        return ThreadSettings.model_validate(given)


class NewMessage(_Given):
    """A message to post."""

    text: str = Field(examples=["@gpt What is new in this release?"])
    reply: bool | None = Field(
        default=None, description="Whether the AI answers. If absent, the text and the thread's settings decide."
    )


class User(BaseModel):
    """A person, as everybody sees them."""

    id: int
    name: str = Field(examples=["Amber Otter"])


class Guest(BaseModel):
    """A new person and their token, which is shown only once."""

    token: str = Field(examples=["trb_…"])
    user: User


class Edit(_Given):
    """A new text for a message."""

    text: str = Field(examples=["@gpt What is new in this version?"])


class Thread(BaseModel):
    """A thread without its messages."""

    id: str = Field(examples=[ID])
    url: str = Field(description="The page where people read it.", examples=[f"/t/{ID}"])
    title: str = Field(examples=["Release notes"])
    reply_mode: ReplyMode
    visibility: Visibility
    model: str = Field(description="Which model answers; empty for the server's default.")
    granularity: Granularity | None = Field(description="In what pieces followers get it; null for the default.")


class Reply(BaseModel):
    """The newest attempt at a reply."""

    stream_id: str = Field(examples=[ID])
    url: str = Field(examples=[f"/api/streams/{ID}"])
    status: StreamStatus
    reason: str = Field(description="Why it has this status, for people; empty if there is nothing to say.")
    attempt: int = Field(description="Which version of the reply it belongs to, from 1.")


class Message(BaseModel):
    """One turn of a thread. A reply that is still being written has the text that is stored so far."""

    id: int
    position: int
    role: Role
    author: User | None
    at: datetime
    text: str
    edits: int = Field(description="How often its author has edited it.")
    reply: Reply | None


class Messages(BaseModel):
    """A page of messages, in order."""

    messages: list[Message]
    before: int | None = Field(description="Pass this as `before` to get earlier ones; null if there are none.")


class Begun(BaseModel):
    """A stream, and where to read it."""

    stream_id: str = Field(examples=[ID])
    url: str = Field(examples=[f"/api/streams/{ID}"])


class Posted(BaseModel):
    """The id of a stored message, and the stream of the reply, if the AI answers."""

    message: int
    reply: Begun | None


class Usage(BaseModel):
    """What the model counted, in its own tokens."""

    tokens_in: int
    tokens_out: int


class Stream(BaseModel):
    """A stream, with the text that is stored so far."""

    id: str = Field(examples=[ID])
    thread: str = Field(examples=[ID])
    message: int
    status: StreamStatus
    reason: str
    text: str = Field(examples=["Hello"])
    offset: int = Field(description="How many code points are stored; follow the stream from this offset.")
    model: str
    usage: Usage | None


class ExportedAttempt(BaseModel):
    """One attempt at a reply, with its own part of the text; null if that was pruned."""

    stream_id: str
    version: int = Field(description="Which version of the reply it began or continued, from 1.")
    kind: AttemptKind
    status: StreamStatus
    reason: str
    model: str
    at: datetime
    text: str | None


class ExportedMessage(BaseModel):
    """A message; if it is a reply, with all attempts at it."""

    position: int
    role: Role
    author: str | None
    at: datetime
    text: str
    attempts: list[ExportedAttempt]


class Export(BaseModel):
    """A whole thread."""

    thread: Thread
    messages: list[ExportedMessage]


def exported(view: MessageView, author: str, attempts: list[AttemptView]) -> ExportedMessage:
    """A message in its exported form."""
    return ExportedMessage(
        position=view.position,
        role=view.role,
        author=author if view.role is Role.USER else None,
        at=view.at,
        text=view.text,
        attempts=[ExportedAttempt.model_validate(attempt, from_attributes=True) for attempt in attempts],
    )


def thread_of(view: ThreadView) -> Thread:
    """A thread as the interface returns it."""
    return Thread(
        id=view.id,
        url=f"/t/{view.id}",
        title=view.title,
        visibility=view.visibility,
        reply_mode=view.settings.reply_mode,
        model=view.settings.model,
        granularity=Granularity(view.settings.granularity) if view.settings.granularity else None,
    )


def begun(stream_id: str) -> Begun:
    """A stream's id and URL."""
    return Begun(stream_id=stream_id, url=f"/api/streams/{stream_id}")


def message_of(view: MessageView, people: dict[int, tuple[str, int]]) -> Message:
    """A message as the interface returns it."""
    reply = None
    if view.stream_id is not None and view.status is not None:
        link = begun(view.stream_id)
        reply = Reply(
            stream_id=link.stream_id, url=link.url, status=view.status, reason=view.reason, attempt=view.version
        )
    name, _ = people.get(view.author_id, ("", 0))
    return Message(
        id=view.id,
        position=view.position,
        role=view.role,
        author=User(id=view.author_id, name=name) if view.role is Role.USER else None,
        at=view.at,
        text=view.text,
        edits=view.version if view.role is Role.USER else 0,
        reply=reply,
    )


def stream_of(view: StreamView, text: str) -> Stream:
    """A stream as the interface returns it."""
    counted = view.tokens_in is not None and view.tokens_out is not None
    return Stream(
        id=view.id,
        thread=view.thread_id,
        message=view.message_id,
        status=view.status,
        reason=view.reason,
        text=text,
        offset=len(text),
        model=view.model,
        usage=Usage(tokens_in=view.tokens_in or 0, tokens_out=view.tokens_out or 0) if counted else None,
    )
