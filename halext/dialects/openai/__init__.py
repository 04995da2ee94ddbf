"""OpenAI's JSON: towards nodes in `node`, towards clients in `client`."""
