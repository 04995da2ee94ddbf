"""How much of the house each person and each workspace may use."""
