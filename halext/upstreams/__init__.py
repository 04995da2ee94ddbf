"""The one outbound door, and a driver per kind of server."""
