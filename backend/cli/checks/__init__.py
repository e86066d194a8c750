"""What `repomill doctor` looks at."""
