"""Texts put straight into a server's SQLite file, wherever people, models and providers can put them."""

import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, create_engine

from chat_app.data.models import Attempt, Message, Role, Thread, User
from tributary_streams import Chunk, Stream, StreamStatus
from tributary_streams.columns import utc_now
from tributary_streams.text import clean

STEPS = 6
"""Pieces in which a live reply comes."""
PER_PAGE = 30
"""Texts of which one page shows all three messages: it lists the newest hundred."""


class Planted:
    """A thread with each text as a person's name and message, as a reply's text and reason, and as a reply that grows.

    Each is the title of a thread as well.
    """

    def __init__(self, database: Path, texts: Sequence[str], seed: int = 1) -> None:
        assert len(texts) <= PER_PAGE
        self._engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30})
        self._texts = [clean(text) for text in texts]
        self._live: list[tuple[int, str, list[str]]] = []  # message, stream, pieces
        cut = random.Random(seed)
        with self._write() as session:
            self.thread = self._threads(session)
            for position, text in enumerate(self._texts):
                self._add(session, 3 * position + 1, text, cut)
            # Says how far the others have come.
            self._add_live(session, 3 * len(self._texts) + 1, [f"{step} " for step in range(1, STEPS + 1)])

    def grow(self, step: int) -> None:
        """Add piece `step`, from 0, of each live reply."""
        with self._write() as session:
            for _, stream_id, pieces in self._live:
                stream = session.get_one(Stream, stream_id)
                stream.beat += 1
                if not pieces[step]:
                    continue
                session.add(Chunk(stream_id=stream_id, offset=stream.length, text=pieces[step]))
                stream.length += len(pieces[step])

    def end(self) -> None:
        """End the live replies."""
        with self._write() as session:
            thread = session.get_one(Thread, self.thread)
            thread.version += 1
            for message_id, stream_id, pieces in self._live:
                session.get_one(Stream, stream_id).status = StreamStatus.DONE
                message = session.get_one(Message, message_id)
                message.text, message.version = "".join(pieces), thread.version

    def close(self) -> None:
        """Take the threads away, and leave the file."""
        with self._write() as session:
            for thread_id in self._all_threads:
                session.get_one(Thread, thread_id).deleted = utc_now()
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.no_autoflush:
            yield session
            session.commit()

    def _threads(self, session: Session) -> str:
        owner = _user(session, "Planter")
        threads = [Thread(title=text, owner_id=owner) for text in self._texts]
        threads[-1].version, threads[-1].last_position = 1, 3 * len(self._texts) + 1
        session.add_all(threads)
        session.flush()
        self._all_threads = [thread.id for thread in threads]
        return threads[-1].id

    def _add(self, session: Session, position: int, text: str, cut: random.Random) -> None:
        author = _user(session, text)
        message = Message(
            thread_id=self.thread, position=position, author_id=author, role=Role.USER, text=text, version=1
        )
        session.add(message)
        self._reply(session, position + 1, Stream(status=StreamStatus.ERROR, reason=text, length=len(text)), text)
        cuts = sorted(cut.choices(range(len(text) + 1), k=STEPS - 1))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        self._add_live(session, position + 2, pieces)

    def _add_live(self, session: Session, position: int, pieces: list[str]) -> None:
        stream = Stream(status=StreamStatus.STREAMING, epoch=1, holder="another")
        self._live.append((self._reply(session, position, stream, ""), stream.id, pieces))

    def _reply(self, session: Session, position: int, stream: Stream, text: str) -> int:
        message = Message(
            thread_id=self.thread, position=position, role=Role.ASSISTANT, text=text, version=1, attempt=1
        )
        session.add_all([stream, message])
        session.flush()
        assert message.id is not None
        asked_by = session.get_one(Thread, self.thread).owner_id
        session.add(
            Attempt(message_id=message.id, number=1, stream_id=stream.id, prompt_id=message.id, asked_by=asked_by)
        )
        return message.id


def _user(session: Session, name: str) -> int:
    user = User(name=name, key=secrets.token_urlsafe(16))
    session.add(user)
    session.flush()
    assert user.id is not None
    return user.id


def plant_conversation(database: Path, texts: Sequence[str], *, apart: timedelta = timedelta(seconds=30)) -> str:
    """An open thread in which two people take turns with these messages, the last one said now; return its id."""
    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30})
    with Session(engine) as session:
        people = [_user(session, secrets.token_hex(6)) for _ in range(2)]
        thread = Thread(title="Planted", owner_id=people[0], version=len(texts), last_position=len(texts))
        session.add(thread)
        session.flush()
        for position, text in enumerate(texts, start=1):
            author, sent = people[position % 2], utc_now() - apart * (len(texts) - position)
            message = Message(thread_id=thread.id, position=position, author_id=author, role=Role.USER, text=text)
            message.version, message.created = position, sent
            session.add(message)
            session.flush()
        session.commit()
        return thread.id
