"""What Repomill changes in Flower's pages: a link from a task to its run, plainer headings, and one door fewer.

Flower's configuration file calls `install` before Flower starts. It changes pages only as they are read from Flower's
own files; where another release of Flower words a page differently, the page is shown as it is, without the link.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

RUN_ROW = """
      <div class="detail-row task-data-row">
        <dt>Run</dt>
        <dd><a href="{run_url}{{{{ url_escape(task.uuid) }}}}/">Show it in Repomill</a></dd>
      </div>"""
FIRST_ROW = '<dl class="detail-list">'
ARGUMENTS = "<dt>Arguments</dt>"
# What these rows would show never travels; empty rows only raise the question.
EMPTY_ROWS = ("<dt>Keyword arguments</dt>", "<dt>Result</dt>")
ROW = '<div class="detail-row'


def install(*, web_url: str) -> None:
    """Prepare Flower in this process. web_url: where browsers reach Repomill's web process."""
    from flower.urls import settings
    from flower.views import monitor, tasks
    from tornado import web
    from tornado.template import Loader, Template

    class Pages(Loader):
        """Flower's own pages, with our changes in the page of a task."""

        def _create_template(self, name: str) -> Template:
            text = Path(self.root, name).read_text("utf-8")
            if name == "task.html":
                text = task_page(text, web_url=web_url)
            return Template(text, name=name, loader=self)

    settings["template_loader"] = Pages(settings["template_path"])
    tasks.TASK_COLUMNS["args"] = "Project · step"
    if not hasattr(monitor.Metrics.get, "__wrapped__"):
        # Flower serves its metrics to everybody; they name workers and tasks.
        guarded: Any = web.authenticated(monitor.Metrics.get)
        monitor.Metrics.get = guarded


def task_page(text: str, *, web_url: str) -> str:
    """Return the template of a task's page with the link to its run, and without the rows that are always empty."""
    row = RUN_ROW.format(run_url=f"{web_url.rstrip('/')}/tasks/")
    text = text.replace(FIRST_ROW, FIRST_ROW + row, 1).replace(ARGUMENTS, "<dt>Project · step</dt>", 1)
    for heading in EMPTY_ROWS:
        before, found, after = text.partition(heading)
        begin, end = before.rfind(ROW), after.find("</div>")
        if found and begin >= 0 and end >= 0:
            text = before[:begin] + after[end + len("</div>") :].lstrip()
    return text
