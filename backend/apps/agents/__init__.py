"""What agents do over HTTP."""
