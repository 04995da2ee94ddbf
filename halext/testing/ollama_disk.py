"""The models on the fake Ollama's disk, and those it could pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from halext.testing.fake import Refusal
from halext.testing.models import FakeModel, as_models, tagged

AGE_STEP_S = 60.0
"""Each model on the disk is this much younger than the one after it."""


class Disk:
    """Models by name; the newest come first."""

    def __init__(self, models: Sequence[FakeModel | str], library: Sequence[FakeModel | str], now: float) -> None:
        self._models: dict[str, tuple[FakeModel, float]] = {}
        self._library = {tagged(model.name).lower(): model for model in as_models(library)}
        for age, model in enumerate(as_models(models)):
            self.add(model, now - (age + 1) * AGE_STEP_S)

    def add(self, model: FakeModel, modified_at: float) -> None:
        """Put a model there, in place of one of the same name."""
        named = replace(model, name=tagged(model.name))
        self._models[named.name.lower()] = (named, modified_at)

    def remove(self, name: str) -> bool:
        """Delete a model; False when there was none of this name."""
        return self._models.pop(tagged(name).lower(), None) is not None

    def rows(self) -> list[tuple[FakeModel, float]]:
        """Every model with the time it was put there, newest first."""
        return sorted(self._models.values(), key=lambda row: -row[1])

    def get(self, name: str) -> tuple[FakeModel, float]:
        """A model and its time; 404 for an unknown name. Case does not matter, a missing tag means `latest`."""
        found = self._models.get(tagged(name).lower())
        if found is None:
            raise Refusal(404, f"model '{name}' not found")
        return found

    def find(self, body: Mapping[str, Any], *, trying: bool = False) -> FakeModel:
        """The model a request names; `trying` says the 404 in the words of `/api/embed`."""
        name = str(body.get("model") or body.get("name") or "")
        try:
            return self.get(name)[0]
        except Refusal:
            if trying:
                raise Refusal(404, f'model "{name}" not found, try pulling it first') from None
            raise

    def copy(self, source: str, destination: str, now: float) -> None:
        """The same weights under another name."""
        model, _ = self.get(source)
        self.add(replace(model, name=destination), now)

    def in_library(self, name: str) -> FakeModel | None:
        """A model that could be pulled."""
        return self._library.get(tagged(name).lower())
