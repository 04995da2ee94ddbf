"""The root: settings, wiring, services, log and doctor; the one place where rooms meet edges."""
