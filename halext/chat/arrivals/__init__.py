"""What a platform has delivered and was dealt with, so that a crash lets nothing be asked twice."""
