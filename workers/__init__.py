"""The Celery side: a thin door from a broker message to one service call."""
