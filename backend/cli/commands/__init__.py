"""One module for each command; `backend.cli.app` loads a module when its command is called."""
