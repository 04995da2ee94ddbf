"""Pictures. Empty for now."""
