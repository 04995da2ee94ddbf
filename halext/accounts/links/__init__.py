"""Which chat accounts belong to which person."""
