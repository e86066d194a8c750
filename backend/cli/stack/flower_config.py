"""Flower's configuration: a file of mode 0600, because it holds a password and a command line can be read by all.

What Flower shows of a task is the task's `argsrepr`, as it is; the columns below put it beside the name. What else is
different from Flower's own pages is in `flower_pages`.
"""

from __future__ import annotations

from backend.cli.stack.settings import HOST, OPERATOR, OPERATOR_PASSWORD, StackSettings
from backend.config.secret_files import read_or_create, write_private

COLUMNS = "args,state,received,runtime,worker,uuid"


def write_flower_config(settings: StackSettings, *, address: str = HOST) -> None:
    """Write the configuration that Flower reads; `address` is what it listens on.

    Raises ConfigurationError when the password's file cannot be read or made.
    """
    folder = settings.flower_config.parent
    password = read_or_create(settings.environment.secrets_dir, OPERATOR_PASSWORD)
    options = {
        "address": address,
        "port": settings.flower_port,
        "url_prefix": "flower",
        "basic_auth": [f"{OPERATOR}:{password}"],
        # An operator retries and cancels in Repomill, where the rows are; Flower watches unless it was told otherwise.
        "read_only": not settings.environment.flower_control,
        "tasks_columns": COLUMNS,
        "natural_time": True,
        # Its memory grows with what it remembers; history is the database's business.
        "max_tasks": 10_000,
        "max_workers": 200,
        "persistent": True,
        "db": str(folder / "flower.db"),
        "state_save_interval": 60_000,
        "purge_offline_workers": 60,
    }
    install = f"install(web_url={settings.browser_url!r})"
    lines = ["from backend.cli.stack.flower_pages import install", install]
    lines += [f"{name} = {value!r}" for name, value in options.items()]
    write_private(settings.flower_config, "\n".join(lines) + "\n")
