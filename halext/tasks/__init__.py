"""To-dos of people. Empty for now."""
