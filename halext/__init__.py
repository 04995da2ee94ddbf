"""One assistant from the computers you own."""
