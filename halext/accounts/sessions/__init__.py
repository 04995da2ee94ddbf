"""Sign-ins: when and from where, and how they end."""
