"""The Telegram door. Empty for now."""
