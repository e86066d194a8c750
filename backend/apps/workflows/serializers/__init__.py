"""What workflows, executions, events and tasks look like in the API, and which values it takes."""
