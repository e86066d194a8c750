"""What changes things in `authentication`."""
