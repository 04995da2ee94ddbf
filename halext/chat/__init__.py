"""Conversations and live answers. Empty for now."""
