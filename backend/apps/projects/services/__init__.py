"""What changes things in `projects`."""
