"""`halext.connect`: one line, and the same client again when a cell is run again."""

from __future__ import annotations

import os
import threading
from typing import Unpack

from halext.client.open import Way
from halext.client.sync import Client

_lock = threading.Lock()
_clients: dict[object, Client] = {}


def connect(*urls: str, **way: Unpack[Way]) -> Client:
    """A client for these servers: a halext coordinator, or Ollama and OpenAI-like servers, used together as a fleet.

    Without URLs: the halext of the settings HALEXT_URL and HALEXT_TOKEN, else an Ollama on this machine, else the small
    model that halext brings along. `token` is for a coordinator; `headers` maps a URL to the request headers of its
    server; `default_model` answers questions that name none; `insecure` allows plain http to a public address.

    The same arguments give the same client until it is closed; what is open at the end of the process is closed then.
    Raises `InvalidInput` for a URL that is none. Nothing is sent yet.
    """
    key = (os.getpid(), urls, repr(sorted(way.items(), key=lambda item: item[0])))
    with _lock:
        client = _clients.get(key)
        if client is None or client.is_closed:
            client = _clients[key] = Client(*urls, **way)
        return client
