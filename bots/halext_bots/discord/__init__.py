"""The Discord door. Empty for now."""
