"""Who is asking: people, sign-in, tokens and what they used."""
