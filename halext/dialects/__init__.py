"""Ollama, OpenAI, SSE and NDJSON: bytes to messages and back, pure."""
