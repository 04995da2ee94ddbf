"""What Prometheus is told of the house."""
