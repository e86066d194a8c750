"""What changes things in `exports`."""
