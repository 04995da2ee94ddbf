"""A picture in the library: its PNG file, the recipe that was really used, and a PIL image once one is wanted."""

from __future__ import annotations

from collections.abc import Mapping

from halext.client.grid import grid
from halext.client.sheet import BROKEN, Sheet
from halext.pictures import Recipe


class Image(Sheet):
    """A picture. `recipe` makes it again on the same kind of computer; it stands in the file too."""

    def __init__(self, png: bytes, recipe: Recipe, node: str) -> None:
        super().__init__(png)
        self.recipe = recipe
        """What was really used, nothing left open."""
        self.node = node
        """The node that made it."""

    @property
    def seed(self) -> int | None:
        """The seed that was used."""
        return self.recipe.seed

    @property
    def model(self) -> str:
        """The model that made it."""
        return self.recipe.model

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.recipe.width, self.recipe.height

    def __repr__(self) -> str:
        width, height = self.size
        return f"<Image: {width}×{height}, seed {self.seed}, {self.model} on {self.node}>"


class Images(list[Image]):
    """The pictures of one wish. In a notebook they show a small preview of all."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<Images: none>"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, object]:
        if not self:
            return {"text/plain": repr(self)}
        try:
            shown = self[0] if len(self) == 1 else grid(self)
        except BROKEN:
            return {"text/plain": repr(self)}
        return {**shown._repr_mimebundle_(), "text/plain": repr(self)}
