"""The HTTP door: OpenAI and Ollama routes, the /hx API and the pages."""
