"""The official OpenAI client, pointed at halext: any program that can use OpenAI can use the computers at home.

    pip install openai
    python examples/openai_client.py http://127.0.0.1:8484 hx_… "Why is the sky blue?"

The token is one of `halext token create`. "auto" is the model that will answer best now.
"""

import sys

from openai import OpenAI


def main(url: str, token: str, question: str) -> None:
    """Print the answer while it comes, then which computer gave it."""
    client = OpenAI(base_url=f"{url}/v1", api_key=token)
    answer = client.chat.completions.with_streaming_response.create(
        model="auto", messages=[{"role": "user", "content": question}], stream=True
    )
    with answer as response:
        for chunk in response.parse():
            for choice in chunk.choices:
                print(choice.delta.content or "", end="", flush=True)
        print(f"\n\n{response.headers['X-Halext-Model']} on {response.headers['X-Halext-Node']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
