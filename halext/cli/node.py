"""`halext node`: the machines that work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from halext.cli import house, output
from halext.cli.entry import read_secret
from halext.runtime.units import parse_duration, parse_size, show_duration, show_size, show_time

if TYPE_CHECKING:
    from halext.runtime.operations import Operation
    from halext.runtime.shapes import EndpointInfo, Named, NodeInfo, TrialReport

app = typer.Typer(help="The computers that work for you.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The node's name.")]
HEADERS_HELP = (
    "A request header, such as Authorization=-; stored encrypted. With - as the value it is asked for, or read from a "
    "line that is piped in: what stands in the command itself is visible to others on this machine. May be repeated."
)
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
ADD_EXAMPLES = (
    "Examples: `halext node add mac http://mac.local:11434`; "
    "`halext node add pc http://192.168.1.20:8080 --slots 4 --memory 24GiB --header Authorization=-`."
)


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What you call the machine, such as `mac`.")],
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Where its servers listen.")],
    kind: Annotated[
        Literal["auto", "ollama", "openai", "automatic1111", "halext"],
        typer.Option(help="What the server speaks; auto finds out."),
    ] = "auto",
    header: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=HEADERS_HELP)] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests that it serves at once; else it is asked.")
    ] = None,
    memory: Annotated[
        int | None, typer.Option(parser=parse_size, metavar="SIZE", help="Its memory for models, such as 16GB.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="A word to find it by. May be repeated.")
    ] = None,
    cidr: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="The network that its address must stay in. May be repeated."),
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow plain http over the internet.")] = False,
    as_json: house.AsJson = False,
) -> None:
    """Register a node with one or more servers, or add servers to a known node."""
    from halext.runtime.shapes import AddNode
    from halext.runtime.verbs.nodes import add_node

    params = AddNode(
        name=name,
        urls=urls,
        kind=kind,
        headers=_headers(header or []),
        slots=slots,
        memory_bytes=memory,
        tags=tag or [],
        cidrs=cidr or [],
        insecure=insecure,
    )
    added = house.call(ctx, add_node, params)
    if as_json:
        output.json(added)
    else:
        _show(added)
    if not any(endpoint.status in {"healthy", "busy"} for endpoint in added.endpoints):
        output.err(f"{name} is registered, but does not work yet; `halext node test {name}` names the failing step.")


@app.command(epilog="Example: `halext node join mac --host ai.example.org`.")
def join(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What you call the machine, such as `mac`.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="ollama|openai", help="What runs on it, at its usual port. May be repeated."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="How that computer reaches this server; else the host of HALEXT_PUBLIC_URL.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="It has lost its key: the old one ends now.")] = False,
    as_json: house.AsJson = False,
) -> None:
    """Print the one line with which a computer at home dials in: no router to change, nothing to install."""
    from halext.runtime.shapes_tunnel import JoinNode
    from halext.runtime.verbs.tunnel import join_node

    line = house.call(ctx, join_node, JoinNode(name=name, kinds=_servable(kind or ["ollama"]), host=host, again=again))
    if as_json:
        output.json(line)
        return
    output.out(f"Paste one of these on {line.name}, before {show_time(line.expires_at)}.")
    output.out(f"\nmacOS and Linux, in a terminal:\n\n{line.unix}")
    output.out(f"\nWindows, in the Command Prompt:\n\n{line.windows}")
    if line.host in LOOPBACK_NAMES:
        output.err(f"\nThis reaches {line.host}: only this machine. For another, say --host or set HALEXT_PUBLIC_URL.")


@app.command("list")
def list_(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """List all nodes and how they are."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.nodes import list_nodes

    nodes = house.call(ctx, list_nodes, Nothing())
    if as_json:
        output.json(nodes)
    elif nodes:
        titles = ["node", "status", "kind", "address", "busy", "models", "in memory", "why"]
        output.table(titles, [_line(node, endpoint) for node in nodes for endpoint in node.endpoints])
    else:
        output.err("There is no node yet; add one: halext node add mac http://mac.local:11434")


@app.command()
def show(ctx: typer.Context, name: Name, as_json: house.AsJson = False) -> None:
    """Show one node, its servers and their models."""
    from halext.runtime.shapes import Named
    from halext.runtime.verbs.nodes import show_node

    node = house.call(ctx, show_node, Named(name=name))
    if as_json:
        output.json(node)
    else:
        _show(node)


@app.command("test")
def try_out(
    ctx: typer.Context,
    name: Name,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Test with this one, else any it has.")] = None,
    as_json: house.AsJson = False,
) -> int:
    """Go from the name to the first token and name the step that fails; exit 1 then. May load a model."""
    from halext.runtime.shapes import TryNode
    from halext.runtime.verbs.nodes import try_node

    reports = house.call(ctx, try_node, TryNode(name=name, model=model))
    if as_json:
        output.json(reports)
    else:
        for report in reports:
            _show_report(report)
    return 0 if all(report.ok for report in reports) else 1


@app.command()
def remove(ctx: typer.Context, name: Name) -> None:
    """Forget a node, its stored headers and what was measured of it."""
    from halext.runtime.shapes import Named
    from halext.runtime.verbs.nodes import remove_node

    output.out(house.call(ctx, remove_node, Named(name=name)).message)


@app.command()
def cordon(ctx: typer.Context, name: Name) -> None:
    """Send a node nothing new; what runs there goes on."""
    from halext.runtime.verbs.nodes import cordon_node

    _decide(ctx, cordon_node, name, "gets nothing new, until `halext node uncordon`.")


@app.command()
def uncordon(ctx: typer.Context, name: Name) -> None:
    """Let a node work again."""
    from halext.runtime.verbs.nodes import uncordon_node

    _decide(ctx, uncordon_node, name, "takes requests again.")


@app.command(epilog="Example: `halext node drain pc --for 2h`.")
def drain(
    ctx: typer.Context,
    name: Name,
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=parse_duration, metavar="TIME", help="It comes back by itself after it."),
    ] = None,
) -> None:
    """Let a node finish what it does and send it nothing new."""
    from halext.runtime.shapes import DrainNode
    from halext.runtime.verbs.nodes import drain_node

    node = house.call(ctx, drain_node, DrainNode(name=name, for_s=for_s))
    ending = f"until {show_time(node.cordon_until)}" if node.cordon_until else "until `halext node uncordon`"
    output.out(f"{node.name} finishes what it does and gets nothing new, {ending}.")


@app.command()
def unload(ctx: typer.Context, name: Name, model: Annotated[str, typer.Argument(help="The model's name.")]) -> None:
    """Free the memory that a model takes on a node."""
    from halext.runtime.shapes import UnloadModel
    from halext.runtime.verbs.nodes import unload_model

    output.out(house.call(ctx, unload_model, UnloadModel(name=name, model=model)).message)


def _decide(ctx: typer.Context, operation: Operation[Named, NodeInfo], name: str, what: str) -> None:
    from halext.runtime.shapes import Named

    node = house.call(ctx, operation, Named(name=name))
    output.out(f"{node.name} {what}")


def _servable(words: list[str]) -> list[Literal["ollama", "openai"]]:
    kinds: list[Literal["ollama", "openai"]] = []
    for word in words:
        if word not in {"ollama", "openai"}:
            raise typer.BadParameter(f"{word!r} is not one of ollama, openai.", param_hint="--kind")
        kinds.append("ollama" if word == "ollama" else "openai")
    return kinds


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value:
            # The text is not repeated: whoever forgot the "=" may have typed nothing but the secret.
            raise typer.BadParameter("A header is NAME=VALUE, as in Authorization=-", param_hint="--header")
        headers[name.strip()] = read_secret(f"Value of {name.strip()}") if value == "-" else value
    return headers


def _line(node: NodeInfo, endpoint: EndpointInfo) -> tuple[str, ...]:
    return (
        node.name,
        endpoint.status if node.cordon == "open" else node.cordon,
        endpoint.kind,
        "dials in" if endpoint.via == "tunnel" else endpoint.url,
        f"{endpoint.in_flight} of {endpoint.slots}",
        str(len(endpoint.models)),
        ", ".join(endpoint.loaded) or "-",
        endpoint.reason or "-",
    )


def _show(node: NodeInfo) -> None:
    until = f" until {show_time(node.cordon_until)}" if node.cordon_until else ""
    facts = [f"{node.name}: {node.status}{until}"]
    facts += [f"memory {show_size(node.memory_bytes)}"] if node.memory_bytes else []
    facts += [f"tags {', '.join(node.tags)}"] if node.tags else []
    output.out(output.one_line("; ".join(facts)))
    for endpoint in node.endpoints:
        _show_endpoint(endpoint)


def _show_endpoint(endpoint: EndpointInfo) -> None:
    version = f" {endpoint.version}" if endpoint.version else ""
    reason = f" ({endpoint.reason})" if endpoint.reason else ""
    keys = ", with stored headers" if endpoint.has_headers else ""
    place = "through its tunnel" if endpoint.via == "tunnel" else f"at {endpoint.url}"
    lines = [
        f"  {endpoint.id}: {endpoint.kind}{version} {place}{keys}",
        f"    {endpoint.status}{reason}, {endpoint.in_flight} of {endpoint.slots} slots taken",
        f"    models: {', '.join(endpoint.models) or 'none seen'}",
    ]
    for line in [*lines, *([f"    in memory: {', '.join(endpoint.loaded)}"] if endpoint.loaded else [])]:
        output.out(output.one_line(line))


def _show_report(report: TrialReport) -> None:
    output.out(output.one_line(report.endpoint))
    for step in report.steps:
        took = f" ({show_duration(step.seconds)})" if step.seconds is not None else ""
        output.step(ok=step.ok, text=f"{step.name:<12} {step.detail}{took}")
