"""Who should work: pure decisions with their reasons."""
