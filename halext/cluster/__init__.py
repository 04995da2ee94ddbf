"""What several processes share: memory or Redis."""
