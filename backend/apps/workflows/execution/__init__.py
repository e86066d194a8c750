"""What executes: claims tasks, runs them, writes back and goes on. It knows no Celery."""
