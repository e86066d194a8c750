"""The other side: the same three links on Celery alone, with its Redis result backend, same broker and pool."""

from __future__ import annotations

from celery import Celery

from backend.config.environment import load

app = Celery("bare")
app.conf.update(
    broker_url=load().redis_url,
    result_backend=load().redis_url,
    task_default_queue="bare",
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    broker_transport_options={"priority_steps": [0]},
)


@app.task(name="bare.noop")
def noop(link: int) -> int:
    """Do nothing."""
    return link
