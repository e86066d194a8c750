"""Streams executions' events to those who listen, without a thread or a database connection for each of them.

One task per process asks the database for all listeners together. See docs/decisions/0035-event-stream.md.
"""
