"""Work that may take hours and survives a crash: a line in the database, and workers that take from it."""
