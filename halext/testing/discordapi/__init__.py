"""The parts of the fake Discord: its world, its gateway, its REST API and its limits."""
