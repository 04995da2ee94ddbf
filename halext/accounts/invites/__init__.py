"""Links that let somebody make an account."""
