"""Tasks for the methods of ProjectGenerator."""
