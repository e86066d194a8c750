"""Definitions, executions, and the execution of them."""
