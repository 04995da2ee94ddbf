"""What may take hours: durable work. Empty for now."""
