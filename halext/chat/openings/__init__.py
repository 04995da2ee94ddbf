"""What is open in chat places."""
