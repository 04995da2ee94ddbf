"""What someone must know. Empty for now."""
