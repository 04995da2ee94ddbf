"""Which answers a door is showing in a chat right now, so that it can go on after a crash."""
