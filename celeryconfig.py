"""The only Celery configuration. The reason for each value stands beside it; see also docs/decisions/."""

from __future__ import annotations

import sys

from backend.config import broker
from backend.config.environment import load

_environment = load()
_broker = broker.of(_environment.redis, rabbitmq=_environment.broker_url)

broker_url = _broker.url
broker_use_ssl = _broker.use_ssl

# A message holds a TaskExecution's id, and that of its trace if there is one; JSON can neither carry code nor hide it.
task_serializer = "json"
result_serializer = "json"
accept_content = ["json"]
result_accept_content = ["json"]

# The TaskExecution is the result. No result backend, so nothing can leak into one or grow there.
result_backend = None
task_ignore_result = True
task_store_errors_even_if_ignored = False

# At least once: a message is acknowledged when its work is done, and comes back when its process dies.
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = True

task_soft_time_limit = _environment.task_soft_limit
task_time_limit = _environment.task_hard_limit

broker_transport_options = {
    # Redis hands an unacknowledged message out again after this long. It must lie above the longest hard limit
    # (a longer task would run twice), and can: lost work is found by the reconciler within seconds, not by this.
    "visibility_timeout": _environment.task_hard_limit * 2,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    # A publisher that meets a dead broker looks once more and gives up, instead of for six seconds. Workers have their
    # own patience (broker_connection_max_retries).
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
    # Queue priorities are not used; without this, Redis keeps a list for each of four steps.
    "priority_steps": [0],
    **_broker.options,
}
broker_connection_retry_on_startup = True
broker_connection_retry = True
broker_connection_max_retries = None

# A publisher that meets a dead broker gives up at once: the pending row is its own outbox.
task_publish_retry = False

task_default_queue = "agents"
task_queues = [_broker.queue(name) for name in ("generation", "export", "bulk", "agents", "maintenance")]
task_create_missing_queues = False
task_routes = {
    "generation.*": {"queue": "generation"},
    "export.*": {"queue": "export"},
    # Served by turns with `export`: a single export waits for one item of a bulk export at most.
    "bulk.*": {"queue": "bulk"},
    "agents.*": {"queue": "agents"},
    "maintenance.*": {"queue": "maintenance"},
}

imports = [
    "workers.generation.tasks",
    "workers.export.tasks",
    "workers.export.bulk",
    "workers.agents.tasks",
    "workers.maintenance.tasks",
]

# Flower reads these events.
worker_send_task_events = True
task_send_sent_event = True
# Sends them together: workers/consumer.py.
worker_consumer = "workers.consumer:Consumer"
task_track_started = True
result_extended = False

# Celery would close the database's connection after every task; backend/config/celery.py keeps it and looks after it.
CELERY_DB_REUSE_MAX = sys.maxsize

worker_hijack_root_logger = False
worker_redirect_stdouts = False
# A pool process is replaced when it has grown; memory is in KiB.
worker_max_memory_per_child = 400_000

beat_scheduler = "backend.config.beat_scheduler:Scheduler"
# The last run is written at once and not every three minutes: it is how `repomill doctor` sees that beat lives.
beat_sync_every = 1
beat_schedule = {
    "reconcile": {
        "task": "maintenance.reconcile",
        "schedule": _environment.reconcile_seconds,
        # An old request to reconcile is of no use; without this they pile up while no worker runs.
        "options": {"expires": _environment.reconcile_seconds * 2},
    },
    "advance-bulk-exports": {
        "task": "maintenance.advance_bulk_exports",
        "schedule": _environment.reconcile_seconds,
        "options": {"expires": _environment.reconcile_seconds * 2},
    },
    "start-scheduled-work": {
        "task": "maintenance.start_scheduled_work",
        "schedule": 5.0,
        "options": {"expires": 10.0},
    },
    "forget-old-answers": {
        "task": "maintenance.forget_old_answers",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "fail-abandoned-generations": {
        "task": "maintenance.fail_abandoned_generations",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "forget-secrets": {
        "task": "maintenance.forget_secrets",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "fail-abandoned-exports": {
        "task": "maintenance.fail_abandoned_exports",
        "schedule": 20.0,
        "options": {"expires": 20.0},
    },
    "sweep-archives": {
        "task": "maintenance.sweep_archives",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "forget-agent-actions": {
        "task": "maintenance.forget_agent_actions",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "remove-deleted-projects": {
        "task": "maintenance.remove_deleted_projects",
        "schedule": 900.0,
        "options": {"expires": 900.0},
    },
    "remove-archived-workspaces": {
        "task": "maintenance.remove_archived_workspaces",
        "schedule": 900.0,
        "options": {"expires": 900.0},
    },
    "repack-stores": {
        "task": "maintenance.repack_stores",
        "schedule": 900.0,
        "options": {"expires": 900.0},
    },
}
enable_utc = True
timezone = "UTC"
