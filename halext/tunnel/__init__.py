"""The SSH server that home nodes dial into. Empty for now."""
