"""One request, from the door to the last token."""
