"""What every bot needs. Empty for now."""
