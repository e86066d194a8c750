"""What changes things in `workflows`."""
