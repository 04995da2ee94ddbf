"""This machine: child processes, lock files, the built-in model."""
