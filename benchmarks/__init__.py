"""What is fast is shown here: figures of one run on one machine, never a test."""
