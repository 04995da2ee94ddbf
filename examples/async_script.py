"""Ask many questions at once and let the fleet share them.

python examples/async_script.py http://mac.local:11434 http://pc:11434
"""

import asyncio
import sys

import halext

CITIES = ["Lisbon", "Oslo", "Kyoto", "Quito"]


async def main(*servers: str) -> None:
    """One line per city, in the order of the list, whoever answers first."""
    async with halext.AsyncClient(*servers) as hx:
        questions = [hx.ask(f"One sentence about {city}.", max_tokens=60) for city in CITIES]
        for city, reply in zip(CITIES, await asyncio.gather(*questions), strict=True):
            print(f"{city} ({reply.node}): {reply.text.strip()}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
