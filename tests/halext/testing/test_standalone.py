from __future__ import annotations

import signal
import socket
import subprocess
import sys

import httpx
import pytest

from halext.testing.standalone import argument_parser, models_of


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("halext.testing.ollama", "/api/tags"),
        ("halext.testing.openai", "/v1/models"),
        ("halext.testing.automatic1111", "/sdapi/v1/sd-models"),
    ],
)
def test_it_prints_its_address_serves_and_ends_cleanly(module: str, path: str, number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", module, "--port", "0", "--model", "mine:1b", "--load", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url, verify=False) as http:
            assert "mine:1b" in http.get(path).text
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "halext.testing.ollama", "--port", port]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 1
    assert "Choose another port with --port." in ran.stderr
    assert "Traceback" not in ran.stderr


def test_arguments_become_models() -> None:
    parser = argument_parser("x", "y", port=1)
    args = parser.parse_args(["--model", "a", "--model", "b:1b", "--rate", "7", "--load", "3", "--tokens", "9"])
    assert [model.name for model in models_of(args)] == ["a", "b:1b"]
    first = models_of(args)[0]
    assert (first.tokens_per_s, first.load_s, first.answer_tokens) == (7, 3, 9)
    assert len(models_of(parser.parse_args([]))) == 1
