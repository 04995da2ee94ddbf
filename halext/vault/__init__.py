"""What must stay secret."""
