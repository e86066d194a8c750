"""The `repomill` command."""
