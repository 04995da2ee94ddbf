"""Commands about pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from halext.accounts.types import Caller, Permission
from halext.commands import words
from halext.commands.asking import OFFERED, number
from halext.commands.registry import command
from halext.commands.types import Option, Painting, Reply, Said, Text
from halext.errors import InvalidInput
from halext.pictures import Recipe
from halext.runtime.app import App
from halext.types import ModelName, RequestId

_SIZE = re.compile(r"(\d{2,5})\s*[x×*]\s*(\d{2,5})", re.ASCII | re.IGNORECASE)
TOLD = {
    "dequeued": "Taken out of the line.",
    "stopping": "It stops after its next step.",
    "too_late": "It had ended already, or can't be stopped where it runs.",
}


def models(app: App, caller: Caller, typed: str) -> Sequence[str]:
    """Picture models that fit what is typed so far."""
    del caller
    known = sorted({info.name for info in app.registry.known_models() if "image" in info.capabilities})
    return [name for name in known if typed.casefold() in name.casefold()][:OFFERED]


@command(
    "imagine",
    Option("prompt", "What is to be seen", required=True, is_rest=True),
    Option("negative", "What is not to be seen"),
    Option("size", "Width and height in pixels, such as 768x512"),
    Option("steps", "How many steps it takes; more is finer and slower"),
    Option("seed", "The same number gives the same picture again"),
    Option("count", "How many pictures", choices=("1", "2", "3", "4")),
    Option("model", "Which model paints", complete=models),
)
async def imagine(app: App, said: Said) -> Reply:
    """Make a picture."""
    return Painting(app.studio.begin(said.caller, recipe(said)).id)


@command("cancel", Option("job", "Which picture", required=True), permission=Permission.OWN, is_listed=False)
async def cancel(app: App, said: Said) -> Reply:
    """Stop a picture that is being made."""
    outcome = await app.studio.stop(said.caller, RequestId(said.get("job")))
    return Text(words.plain(TOLD[outcome]), is_quiet=True)


def recipe(said: Said) -> Recipe:
    """What was asked for. Raises `InvalidInput` for a size or a number that is none; the studio checks the limits."""
    plain = Recipe(said.get("prompt"))
    width, height = plain.width, plain.height
    if size := said.get("size"):
        found = _SIZE.fullmatch(size.strip())
        if found is None:
            raise InvalidInput(f"“{words.shortened(size, 40)}” is no size; write it like 768x512.")
        width, height = int(found[1]), int(found[2])
    return Recipe(
        prompt=plain.prompt,
        negative=said.get("negative"),
        model=ModelName(said.get("model")),
        width=width,
        height=height,
        steps=number(said.get("steps")) if said.get("steps") else plain.steps,
        seed=number(said.get("seed")) if said.get("seed") else None,
        n=number(said.get("count")) if said.get("count") else 1,
    )
