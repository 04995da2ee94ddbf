"""Which conversation a person has open in a channel or a direct chat, so that the next message goes on in it."""

from __future__ import annotations

from halext.accounts.types import Caller
from halext.chat import policy
from halext.chat.openings.store import OpeningStore
from halext.chat.store import ChatStore
from halext.chat.types import Conversation, ConversationId
from halext.errors import NotFound
from halext.storage.scope import Scope


class Places:
    """The open conversations of everyone, each time for one caller: in one channel, two people have two of them.

    A place is named by its door, such as `discord:channel:123` or `telegram:chat:5`. A conversation that is open in
    several places is one and the same there.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def current(self, caller: Caller, place: str) -> Conversation | None:
        """What is open there; None when the next question begins a conversation."""
        opened = await self._of(caller).at(policy.place(place))
        if opened is None:
            return None
        try:
            return await ChatStore(self._scope, policy.owner(caller)).conversation(opened)
        except NotFound:  # it was another's, and is not shared with the caller any more
            return None

    async def open(self, caller: Caller, place: str, conversation: ConversationId) -> None:
        """Go on with this conversation there. Raises `NotFound`."""
        name = policy.place(place)
        opened = await ChatStore(self._scope, policy.owner(caller)).conversation(conversation)
        await self._of(caller).open(name, opened.id)

    async def leave(self, caller: Caller, place: str) -> None:
        """The next question there begins a conversation."""
        await self._of(caller).leave(policy.place(place))

    async def model(self, caller: Caller, place: str) -> str:
        """The model that the caller wants there; "" leaves it to the conversation."""
        return await self._of(caller).model(policy.place(place))

    async def want_model(self, caller: Caller, place: str, model: str) -> None:
        """Want this model there from the next question on; "" for none. Raises `InvalidInput`."""
        await self._of(caller).want_model(policy.place(place), policy.model(model))

    def _of(self, caller: Caller) -> OpeningStore:
        return OpeningStore(self._scope, policy.owner(caller))
