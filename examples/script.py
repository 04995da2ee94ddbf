"""Ask one question of the computers at home, and see which of them answered.

    python examples/script.py "Why is the sky blue?" http://mac.local:11434 http://pc:11434

Without addresses halext takes what it finds: the coordinator in HALEXT_URL, an Ollama on this machine, or the small
model that it brings along.
"""

import sys

import halext


def main(question: str, *servers: str) -> None:
    """Print the answer while it comes, then who gave it and why they were asked."""
    with halext.Client(*servers) as hx:
        answer = hx.stream(question, max_tokens=200)
        for piece in answer:
            print(piece, end="", flush=True)
        print(f"\n\n{answer.reply.summary}\n{answer.reply.why}")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["Why is the sky blue?"]))
