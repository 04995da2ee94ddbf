"""The parts of the fake Telegram: its world, its people and its side of the Bot API."""
