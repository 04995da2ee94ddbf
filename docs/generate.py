"""Writes the pages that are tables of what the code says: `python docs/generate.py`. A test keeps them in step."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from halext import errors
from halext.accounts.policy import PERMISSIONS
from halext.accounts.types import Permission, Role
from halext.cli.main import app
from halext.commands.load import load
from halext.commands.types import Option
from halext.commands.words import usage
from halext.runtime import verbs
from halext.runtime.operations import OPERATIONS
from halext.runtime.settings import PREFIX, Settings
from halext_web.app import all_routes

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; change the code and run it again. -->"


def settings() -> str:
    """Every setting with its default."""
    lines = [
        "# Settings",
        NOTE,
        "",
        "First wins: command line, environment, secrets files, `halext.toml`, the default.",
        "",
        "- In `halext.toml` a setting has its name without `HALEXT_`, in lower case: `port = 8484`. The file is looked",
        "  for at `HALEXT_CONFIG`, in the current folder and in your configuration folder.",
        "- A secrets file is named like the variable and lies in `HALEXT_SECRETS_DIR`, or where systemd's",
        "  `LoadCredential` puts it.",
        "- An unknown `HALEXT_…` variable stops the start.",
        "",
        "| setting | default | what it does |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined or field.default in {None, ()} else f"`{field.default}`"
        default = default or {"data_dir": "the platform's data folder"}.get(name, "none")
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def error_table() -> str:
    """Every error with its code."""
    lines = [
        "# Errors",
        NOTE,
        "",
        "Every error has a stable `code`, an HTTP status and a sentence. Under `/v1` it has OpenAI's shape, under",
        "`/api` Ollama's, under `/hx` it is `{code, message, request_id}`. Those marked *again* may succeed when they",
        "are repeated; with `Retry-After`, after that time. Programs should look at the code, people at the sentence.",
        "",
        "| code | status | again | sentence when nothing better is known |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{kind.code}` | {kind.status} | {'again' if kind.retryable else ''} | {kind().message} |"
        for kind in _leaves(errors.HalextError)
    ]
    return "\n".join(lines) + "\n"


def _leaves(kind: type[errors.HalextError]) -> Iterator[type[errors.HalextError]]:
    children = [child for child in kind.__subclasses__() if child.__module__ == "halext.errors"]
    if not children:
        yield kind
    for child in children:
        yield from _leaves(child)


def operations() -> str:
    """Every operation of `/hx`."""
    for module in iter_modules(verbs.__path__):
        import_module(f"{verbs.__name__}.{module.name}")
    lines = [
        "# Operations of /hx",
        NOTE,
        "",
        "The table behind the web, the command line and the library. Parameters and answers are described at",
        "`/hx/openapi.json` and readable at `/hx/docs` of a running halext.",
        "",
        "| route | right | what it does |",
        "|---|---|---|",
    ]
    table = sorted(OPERATIONS, key=lambda entry: (entry.path, entry.method))
    lines += [f"| `{entry.method} {entry.path}` | {' and '.join(entry.rights)} | {entry.summary} |" for entry in table]
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Every command with its options."""
    lines = [
        "# The command line",
        NOTE,
        "",
        "`halext --help` and `halext COMMAND --help` show the same. What a command answers goes to standard output,",
        "remarks and errors to standard error. Exit codes: 0 done, 1 it did not work, 2 wrong use, 130 stopped by",
        "Ctrl-C. Listings take `--json`.",
        "",
        "A command finds its halext by itself: at `HALEXT_URL` (with `HALEXT_TOKEN`), where that is set; else the one",
        "that runs on the same data directory; with none running, it opens the data directory for a moment.",
    ]
    root = typer.main.get_command(app)
    lines += ["", "Before every command:", "", *_options(root)]
    for title, command in sorted(_commands(root, "halext"), key=lambda entry: entry[0]):
        lines += ["", f"## `{' '.join([title, *_arguments(command)])}`", "", command.help]
        lines += ["", command.epilog] if command.epilog else []
        options = _options(command)
        lines += ["", *options] if options else []
    return "\n".join(lines) + "\n"


RIGHTS = {
    "For everyone": ({Permission.PUBLIC}, "Also for people whom halext does not know yet."),
    "For people with a linked account": (
        {Permission.USE, Permission.OWN, Permission.ACCOUNT},
        "Everyone has their own conversations, models and tasks.",
    ),
    "For administrators": ({Permission.MANAGE_NODES}, "With the role `admin`."),
    "About people, for administrators": ({Permission.MANAGE_PEOPLE}, "With the role `admin`."),
}
"""Who may say a command, and how the page puts it. A command with another right needs a place here."""


def chat_commands() -> str:
    """Every command of chats with its options."""
    lines = [
        "# Commands in chats",
        NOTE,
        "",
        "What people can say to the bot. A command is written once and is the same on every door: a slash command with",
        "a form, or a line that is typed, such as `/ask model=llama3.2:3b Why?`. `option=value` names a value; other",
        "words fill what is still open, and a question or a title takes the rest of the line as it stands. Pictures",
        "and text files may come along with a question, or be one. Buttons say commands, in the name of whoever",
        "presses them. What models, nodes and other people write is shown as text, and is never a command.",
        "",
        "## Linking a chat account",
        "",
        "halext answers people, not chat accounts, so it has to be told once whose account it is. Get a code on the",
        "page of your account (your name, at the top), or from whoever runs the server:",
        "",
        "```console",
        "$ halext user link",
        "```",
        "",
        "Send it to the bot in a direct message: `/link CODE`. From then on the conversations, tasks and rights there",
        "are yours; the same conversation can be open in several chats and on the page. A code works once, within ten",
        "minutes, and a new one ends the one before. A code that is sent where others read along is void. After five",
        "wrong codes an account has to wait ten minutes. An account is one person's: who links it last has it. Links",
        "hold the platform's number of the account, which nobody else can take over as they could a name.",
        "",
        "The page of your account lists what is linked and ends it at once, as does `/unlink`. On the server:",
        "",
        "```console",
        "$ halext user links",
        "```",
    ]
    commands = load().all()
    for title, (rights, remark) in RIGHTS.items():
        lines += ["", f"## {title}", "", remark]
        for command in (command for command in commands if command.permission in rights):
            lines += ["", f"### `{usage(command)}`", "", f"{command.description}."]
            lines += ["", *map(_option, command.options)] if command.options else []
    lines += [
        "",
        "## A command of your own",
        "",
        "A package that is installed beside halext adds commands by naming a module in the entry-point group",
        "`halext.commands`; [an example](../examples/bot_command.py) has all that it takes. One that can't be loaded",
        "is said in the log, and harms no other.",
    ]
    return "\n".join(lines) + "\n"


def _option(option: Option) -> str:
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    return f"- `{option.name}`{'' if option.required else ', if you like'}: {option.description}{choices}."


# The classes of typer's tree carry no types; what is used of them is what `--help` uses.
def _commands(command: Any, title: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield title, command
    for name, child in (children or {}).items():
        yield from _commands(child, f"{title} {name}")


def _arguments(command: Any) -> list[str]:
    context = command.context_class(command)
    pieces = [piece for parameter in command.params for piece in parameter.get_usage_pieces(context)]
    return [re.sub("[{}]", "", piece).upper().replace("…...", "...") for piece in pieces]


def _options(command: Any) -> list[str]:
    context = command.context_class(command)
    lines = []
    for parameter in command.params:
        form, text = parameter.get_help_record(context)
        if parameter.param_type_name == "argument":
            form = (parameter.metavar or parameter.name).upper().removesuffix("…")
        if "completion" not in parameter.name:
            lines.append(f"- `{_plain(form)}`: {_plain(text)}".rstrip(": "))
    return lines


def _plain(text: str) -> str:
    """The words of `--help` without its signs for types."""
    text = text.replace("<str>", "TEXT").replace("<int>", "N").replace("  [required]", "").replace("  [x>=1]", "")
    text = re.sub(r"<([^<>]*\|[^<>]*)>", r"\1", text)
    return re.sub(r" *\[default: \(?([^)\]]*)\)?\]", r" Default: \1.", text).strip()


def _who(rights: Collection[Permission]) -> str:
    if set(rights) == {Permission.PUBLIC}:
        return "anyone"
    return ", ".join(f"{role}s" for role in (Role.GUEST, Role.MEMBER, Role.ADMIN) if PERMISSIONS[role] >= set(rights))


def access() -> str:
    """Every route and command with its right, so that a change of rights is seen."""
    lines = [
        "# Who may do what",
        NOTE,
        "",
        "Every route and every command in chats declares its right, and a second one where a model is asked about what",
        "is one's own; a route without one stops the start. Whoever has it reaches what is their own, what is shared",
        "with them (a viewer only reads it, and its owner alone deletes and shares it) and what is everybody's. What",
        "belongs to somebody else is as if it were not there, for administrators too; only tokens can be ended by",
        "whoever manages people. An API token that is limited to some rights has no others, whatever its owner has.",
        "`tests/access` asks each of these for all, with every credential and with ids that are one's own, another's,",
        "shared, missing or broken, on both databases.",
        "",
        "| route | right | who |",
        "|---|---|---|",
    ]
    table = sorted((route.path, method, route.rights) for route in all_routes() for method in route.methods)
    lines += [f"| `{method} {path}` | {' and '.join(rights)} | {_who(rights)} |" for path, method, rights in table]
    lines += ["", "| command in chats | right | who |", "|---|---|---|"]
    lines += [f"| `/{entry.name}` | {' and '.join(entry.rights)} | {_who(entry.rights)} |" for entry in load().all()]
    return "\n".join(lines) + "\n"


PAGES = {
    "access.md": access,
    "settings.md": settings,
    "errors.md": error_table,
    "operations.md": operations,
    "cli.md": command_line,
    "commands.md": chat_commands,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
