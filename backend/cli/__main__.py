"""Lets `python -m backend.cli` stand for `repomill`."""

from backend.cli.app import main

if __name__ == "__main__":
    main()
