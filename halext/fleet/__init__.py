"""Work on nodes as machines: pulls, wake-up, deployments. Empty for now."""
