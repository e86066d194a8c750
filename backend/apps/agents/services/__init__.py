"""What changes things in `agents`."""
