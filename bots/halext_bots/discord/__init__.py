"""The Discord door: an unmodified library on one side, the shared part of the bots on the other."""
