"""Conversations, and the answers in them."""

from __future__ import annotations

from msgspec.structs import replace

from halext.accounts.types import Caller, Permission
from halext.chat import types as chat
from halext.dialects.vision import sound
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done, Nothing
from halext.runtime.shapes_chat import (
    AnswerAfter,
    AnswerNow,
    AnswerRef,
    AskAgain,
    Asked,
    AskMore,
    AskNew,
    Conversation,
    ConversationInfo,
    ConversationRef,
    ShareConversation,
    TurnInfo,
)

LONGEST_WAIT_S = 20.0
"""Shorter than the patience of any client or proxy."""


@operation("POST", "/hx/conversations", Permission.OWN, also=Permission.USE)
async def begin_conversation(app: App, caller: Caller, params: AskNew) -> Asked:
    """Begin a conversation with a question; the answer runs from now on."""
    images = [sound(each) for each in params.images]
    return _asked(await app.answers.ask(caller, params.text, model=params.model, system=params.system, images=images))


@operation("POST", "/hx/conversations/{id}/ask", Permission.OWN, also=Permission.USE)
async def ask_more(app: App, caller: Caller, params: AskMore) -> Asked:
    """Ask on in a conversation; the answer runs from now on."""
    number, images = chat.ConversationId(params.id), [sound(each) for each in params.images]
    return _asked(await app.answers.ask(caller, params.text, conversation=number, model=params.model, images=images))


@operation("GET", "/hx/conversations", Permission.OWN)
async def list_conversations(app: App, caller: Caller, params: Nothing) -> list[ConversationInfo]:
    """The caller's conversations, and those shared with them, the latest first."""
    del params
    return [conversation_info(conversation) for conversation in await app.answers.conversations(caller)]


@operation("GET", "/hx/conversations/{id}", Permission.OWN)
async def read_conversation(app: App, caller: Caller, params: ConversationRef) -> Conversation:
    """A conversation with its turns."""
    conversation, turns = await app.answers.read(caller, chat.ConversationId(params.id))
    return Conversation(conversation_info(conversation), [turn_info(turn) for turn in turns])


@operation("PUT", "/hx/conversations/{id}/workspace", Permission.OWN)
async def share_conversation(app: App, caller: Caller, params: ShareConversation) -> ConversationInfo:
    """Share a conversation of one's own in a workspace, or in none."""
    return conversation_info(await app.answers.share(caller, chat.ConversationId(params.id), params.workspace))


@operation("DELETE", "/hx/conversations/{id}", Permission.OWN)
async def forget_conversation(app: App, caller: Caller, params: ConversationRef) -> Done:
    """Delete a conversation for good."""
    await app.answers.forget(caller, chat.ConversationId(params.id))
    return Done("The conversation is deleted.")


@operation("GET", "/hx/answers/{id}/now", Permission.OWN)
async def read_answer(app: App, caller: Caller, params: AnswerAfter) -> AnswerNow:
    """What an answer has said beyond what is known of it; waits a while for more. `/hx/answers/{id}` streams it."""
    wait_s = min(max(params.wait_s, 0.0), LONGEST_WAIT_S)
    seen = max(params.seen, 0)
    text, turn = await app.answers.progress(caller, chat.TurnId(params.id), seen, wait_s)
    return AnswerNow(text[seen:], replace(turn_info(turn), text=""))


@operation("POST", "/hx/answers/{id}/stop", Permission.OWN)
async def stop_answer(app: App, caller: Caller, params: AnswerRef) -> TurnInfo:
    """End an answer; its text so far is kept."""
    return turn_info(await app.answers.stop(caller, chat.TurnId(params.id)))


@operation("POST", "/hx/answers/{id}/regenerate", Permission.OWN, also=Permission.USE)
async def regenerate_answer(app: App, caller: Caller, params: AskAgain) -> Asked:
    """Another answer to the same question, in place of this one and of what followed it."""
    return _asked(await app.answers.regenerate(caller, chat.TurnId(params.id), params.model))


@operation("POST", "/hx/answers/{id}/continue", Permission.OWN, also=Permission.USE)
async def continue_answer(app: App, caller: Caller, params: AnswerRef) -> Asked:
    """Let the model go on from where an answer ended, as a further turn."""
    return _asked(await app.answers.continue_(caller, chat.TurnId(params.id)))


def _asked(begun: tuple[chat.Conversation, chat.Turn]) -> Asked:
    conversation, turn = begun
    return Asked(conversation_info(conversation), turn.id)


def conversation_info(conversation: chat.Conversation) -> ConversationInfo:
    """A conversation as JSON."""
    return ConversationInfo(
        id=conversation.id,
        title=conversation.title,
        model=conversation.model,
        system=conversation.system,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        workspace=conversation.sharing.workspace,
        owner=conversation.sharing.owner,
        may=conversation.sharing.access.name.lower(),
    )


def turn_info(turn: chat.Turn) -> TurnInfo:
    """A turn as JSON."""
    outcome = turn.outcome
    return TurnInfo(
        id=turn.id,
        conversation=turn.conversation,
        parent=turn.parent,
        role=turn.role,
        state=str(outcome.state),
        text=outcome.text,
        model=outcome.model,
        node=outcome.node,
        error=outcome.error,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        tokens_per_s=outcome.tokens_per_s,
        first_token_s=outcome.first_token_s,
        why=list(outcome.why),
        created_at=turn.created_at,
        by=turn.by,
    )
