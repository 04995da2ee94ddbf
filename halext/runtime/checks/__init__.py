"""What doctor looks at, one noun per file; each has a `look` that finds and changes nothing."""
