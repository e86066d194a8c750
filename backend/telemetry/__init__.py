"""What processes tell of themselves: log lines that name their run, step, task and trace, and traces.

It stands below everything that uses it, and knows neither Django's models nor Celery.
"""
