"""The whole door as one ASGI app."""

from __future__ import annotations

from starlette.types import ASGIApp

from halext.runtime.app import App
from halext_web import health, session
from halext_web.api import answers, hx, images, ollama, openai, openapi
from halext_web.credentials import Doorkeeper
from halext_web.frame import Frame
from halext_web.pages import account, audit, chat, docs, links, nodes, static, tasks, workspaces
from halext_web.pages.failure import failure_page
from halext_web.routes import Route, Table
from halext_web.templates import Templates


def all_routes() -> list[Route]:
    """Everything that this door answers."""
    parts = (
        *(openai, images, ollama, answers, hx, session, openapi),
        *(docs, chat, nodes, tasks, workspaces, links, account, audit, static, health),
    )
    return [entry for part in parts for entry in part.routes()]


def build(app: App) -> ASGIApp:
    """The ASGI app for a halext. Raises `ValueError` when a route is declared twice or without its right."""
    return Frame(Table(all_routes(), Doorkeeper(app)), app, Templates(), failure_page)
