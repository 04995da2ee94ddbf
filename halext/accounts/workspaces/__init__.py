"""Groups of people who share conversations and tasks."""
