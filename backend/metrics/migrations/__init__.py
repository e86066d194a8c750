"""The migrations of the counts."""
