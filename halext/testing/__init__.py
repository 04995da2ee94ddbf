"""Fake servers on real sockets, for halext and for its users."""
