"""Workflows, executions, events and tasks over REST. Views translate; services change, selectors read."""
