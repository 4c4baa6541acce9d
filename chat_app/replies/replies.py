"""Replies: stop, retry, continue and inspect them."""

from chat_app.data.changes import Changes
from chat_app.data.models import AttemptKind
from chat_app.people.identity import Identity
from chat_app.people.limits import Rates
from chat_app.replies.writers import Writers
from chat_app.threads import attempts, message_views, reply_views
from chat_app.threads.message_views import MessageView
from chat_app.threads.reply_views import AttemptDetails, StreamLocation, StreamView, Timeline
from tributary_streams import STOPPED, StreamId, close_pending, request_stop


class Replies:
    """The replies of this server's threads, whichever process writes them."""

    def __init__(self, changes: Changes, rates: Rates, writers: Writers, *, model: str) -> None:
        """Args:
        changes: where they are stored.
        rates: how many replies a person may ask for.
        writers: the replies that are written here.
        model: the name of the model that answers if the thread names none.
        """
        self._changes = changes
        self._rates = rates
        self._writers = writers
        self._model = model

    async def stop(self, who: Identity, thread_id: str, message_id: int) -> None:
        """Stop a reply, whichever process writes it, and keep its text; one that has ended stays as it is.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: they may not stop it.
        """
        async with self._changes.write() as session:
            stream_id = await attempts.stoppable(session, thread_id, message_id, who.user_id)
            if await close_pending(session, stream_id, STOPPED):
                await attempts.store_reply(session, stream_id)
            else:
                await request_stop(session, stream_id)
        self._writers.stop(stream_id)

    async def retry(
        self,
        who: Identity,
        thread_id: str,
        message_id: int,
        *,
        tab: str,
        address: str = "",
        after: StreamId | None = None,
    ) -> StreamId:
        """Answer again in a new version; of several concurrent calls one succeeds. Return the new stream.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: they may not retry it.
            NotNow: it is being answered, or `after` is given and is not its newest stream.
            TooMuch: a rate limit is reached.
        """
        return await self._again(AttemptKind.RETRY, who, thread_id, message_id, tab, address, after)

    async def continue_reply(
        self,
        who: Identity,
        thread_id: str,
        message_id: int,
        *,
        tab: str,
        address: str = "",
        after: StreamId | None = None,
    ) -> StreamId:
        """Continue a reply from its text; of several concurrent calls one succeeds. Return the new stream.

        Raises:
            ThreadUnknown: there is no such reply for this person.
            NotPermitted: they may not continue it.
            NotNow: it is being answered, is complete, or `after` is given and is not its newest stream.
            TooMuch: a rate limit is reached.
        """
        return await self._again(AttemptKind.CONTINUE, who, thread_id, message_id, tab, address, after)

    async def _again(
        self,
        kind: AttemptKind,
        who: Identity,
        thread_id: str,
        message_id: int,
        tab: str,
        address: str,
        after: StreamId | None,
    ) -> StreamId:
        async with self._changes.write() as session:
            stream_id = await attempts.answer_again(
                session, kind, thread_id, message_id, who.user_id, tab=tab, model=self._model, after=after
            )
            await self._rates.message(who.user_id, address)  # a refusal rolls the transaction back
        self._writers.begin(stream_id)
        return stream_id

    async def stream(self, who: Identity, stream_id: StreamId) -> StreamView:
        """A stream, with its text as stored so far.

        Raises:
            ThreadUnknown: there is no such stream for this person.
        """
        async with self._changes.read() as session:
            return await reply_views.stream(session, stream_id, who.user_id)

    async def location(self, who: Identity, stream_id: StreamId) -> StreamLocation:
        """Where a stream belongs, for a caller that needs its thread and message but not its text.

        Raises:
            ThreadUnknown: there is no such stream for this person.
        """
        async with self._changes.read() as session:
            return await reply_views.stream_location(session, stream_id, who.user_id)

    async def reply_to(self, who: Identity, thread_id: str, message_id: int) -> StreamId | None:
        """The stream of the first attempt to answer a message, if there was one.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self._changes.read() as session:
            await message_views.message_view(session, thread_id, message_id, who.user_id)
            return await reply_views.reply_to(session, message_id)

    async def version_of(self, who: Identity, thread_id: str, message_id: int, version: int) -> tuple[MessageView, str]:
        """A reply, and the text of one of its versions.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self._changes.read() as session:
            message = await message_views.message_view(session, thread_id, message_id, who.user_id)
            return message, await reply_views.version_text(session, message, version)

    async def attempts(self, who: Identity, thread_id: str, message_id: int) -> list[AttemptDetails]:
        """Details of all attempts at a reply, the newest first; a person's message has none.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self._changes.read() as session:
            await message_views.message_view(session, thread_id, message_id, who.user_id)
            return await reply_views.attempt_details(session, message_id)

    async def timeline_of(
        self, who: Identity, thread_id: str, message_id: int, version: int
    ) -> tuple[MessageView, Timeline]:
        """A reply, and how this version of its text grew; no steps if its chunks were pruned.

        Raises:
            ThreadUnknown: there is no such message for this person.
        """
        async with self._changes.read() as session:
            message = await message_views.message_view(session, thread_id, message_id, who.user_id)
            return message, await reply_views.timeline(session, message_id, version)
