"""What was done here, by whom, and what was refused: a record that is only ever added to."""
