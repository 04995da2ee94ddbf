"""Who can work: machines, their endpoints, and how they are."""
