"""Ask the same about every line of a file, on all computers at once, and go on after a break where it was.

    python examples/many_items.py reviews.txt http://mac.local:11434 http://pc:11434

Stop it with Ctrl-C and run it again: only what is missing is asked. The answers are kept beside the file.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import halext


@dataclass
class Mood:
    """What every answer has to look like."""

    mood: Literal["good", "bad"]


def main(file: str, *servers: str) -> None:
    """One line per line of the file, in its order."""
    path = Path(file)
    with halext.Client(*servers) as hx, path.open() as lines:
        job = hx.map(
            (line.strip() for line in lines),
            "What mood is this review in? {}",
            schema=Mood,
            job="moods",
            folder=path.parent,
        )
        for number, answer in enumerate(job, 1):
            print(number, answer.mood if answer else answer.error)
        print(job.progress.line)


if __name__ == "__main__":
    main(*sys.argv[1:])
