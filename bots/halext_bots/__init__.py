"""Chat platforms as doors."""
