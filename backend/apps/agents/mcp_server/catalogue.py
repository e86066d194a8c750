"""Which tools there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from backend.api.turns import require_turn
from backend.apps.agents.mcp_server.tools import LONGEST_WAIT, Arguments, Tool
from backend.apps.agents.services.agent_context import AgentContext
from backend.apps.agents.services.agent_deliveries import HOSTS
from backend.apps.agents.services.agent_runs import CONTROLS, ENDED
from backend.apps.exports.services.links import LONGEST_SECONDS, SECONDS
from backend.apps.projects.models import Archive
from backend.apps.workflows.services.dry_run import ITEMS, MOST_ITEMS

TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 4096}
PROJECT = {**TEXT, "description": "The project's id or slug; see list_projects."}
RUN = {**TEXT, "description": "The run's id, as start_run returned it."}
PATHS = {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1000}
KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "pattern": "^[!-~]+$",
    "description": "A name of your own for this piece of work: repeated with the same key, it is done once.",
}
WAIT = {
    "type": "integer",
    "minimum": 0,
    "maximum": LONGEST_WAIT,
    "default": LONGEST_WAIT,
    "description": "Seconds to wait at most for something new; 0 answers at once.",
}
FILE = {
    "type": "object",
    "required": ["path", "content"],
    "additionalProperties": False,
    "properties": {
        "path": {**TEXT, "description": "Relative, with forward slashes."},
        "content": {"type": "string"},
        "encoding": {"type": "string", "default": "utf-8", "description": "base64 for what is no text."},
        "executable": {"type": "boolean", "default": False},
    },
}
STARTED = {
    "workflow": {**TEXT, "description": "Its name; see list_workflows."},
    "inputs": {"type": "object", "default": {}, "description": "What the workflow's input schema asks for."},
    "project": PROJECT,
    "version": {"type": "integer", "minimum": 1, "description": "Of the workflow; default the newest."},
}


def _dry_run(agent: AgentContext, given: Arguments) -> dict[str, Any]:
    require_turn(agent.user)
    return agent.runs.dry_run(
        given["workflow"],
        given.get("inputs", {}),
        version=given.get("version"),
        items=given.get("items", ITEMS),
        contents=given.get("contents", False),
    )


_RUNS = [
    Tool(
        name="list_projects",
        description="List the projects that you may see, with their slugs and your role.",
        properties={},
        work=lambda agent, _: {"projects": agent.projects()},
        reads=True,
    ),
    Tool(
        name="list_workflows",
        description="List the workflows that can be started, each with the JSON Schema of its inputs.",
        properties={},
        work=lambda agent, _: {"workflows": agent.runs.workflows()},
        reads=True,
    ),
    Tool(
        name="start_run",
        description="Start a run of a workflow. It goes on in the background, whatever becomes of this connection;"
        " follow it with follow_run.",
        properties={**STARTED, "key": KEY},
        required=("workflow",),
        work=lambda agent, given: agent.runs.start(
            given["workflow"], given.get("inputs", {}), version=given.get("version"), key=given.get("key")
        ),
    ),
    Tool(
        name="dry_run",
        description="Say what start_run would do, with the same arguments, and do nothing of it: which files it would"
        " generate, which requests it would send, where it would push. What only the run can tell stands between « and"
        " ».",
        properties={
            **STARTED,
            "items": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_ITEMS,
                "default": ITEMS,
                "description": "Of a step with `each`, how many items are worked out one by one.",
            },
            "contents": {
                "type": "boolean",
                "default": False,
                "description": "Also what the files would hold, and how that differs from what the project has.",
            },
        },
        required=("workflow",),
        work=_dry_run,
        reads=True,
    ),
    Tool(
        name="follow_run",
        description="Wait until something new has happened in a run, or it has ended, and return its state and the new"
        " events. Call it again with `after` set to the last answer's `next` until `ended` is true.",
        properties={
            "run": RUN,
            "after": {"type": "integer", "minimum": 0, "default": 0, "description": "The last answer's `next`."},
            "wait_seconds": WAIT,
        },
        required=("run",),
        work=lambda agent, given: agent.runs.look(given["run"], after=given.get("after", 0)),
        again=lambda agent, given: agent.runs.look(given["run"], after=given.get("after", 0), noted=False),
        settled=lambda seen: bool(seen["ended"] or seen["events"]),
        reads=True,
    ),
    Tool(
        name="read_run",
        description="Return where a run stands: its status, its steps, and its outputs or error. With `step`: that"
        " step's result.",
        properties={"run": RUN, "step": {**TEXT, "description": "A step's id."}},
        required=("run",),
        work=lambda agent, given: (
            agent.runs.result(given["run"], given["step"]) if "step" in given else _state(agent.runs.look(given["run"]))
        ),
        reads=True,
    ),
    Tool(
        name="control_run",
        description="Pause a run (what runs is let finish), resume a paused or failed one where it stopped, or"
        " cancel it.",
        properties={"run": RUN, "action": {"enum": sorted(CONTROLS)}},
        required=("run", "action"),
        work=lambda agent, given: agent.runs.control(given["run"], given["action"]),
    ),
]
_FILES = [
    Tool(
        name="check_out_files",
        description="Make the project's workspace hold just what its newest generation holds, to go on from there; what"
        " was not committed is gone.",
        properties={"project": PROJECT},
        required=("project",),
        work=lambda agent, _: agent.files.check_out(),
        repeatable=True,
    ),
    Tool(
        name="list_files",
        description="List the files in the project's workspace, which is where you write.",
        properties={"project": PROJECT, "below": {**TEXT, "description": "Only what lies in this directory."}},
        required=("project",),
        work=lambda agent, given: {"files": agent.files.list(given.get("below"))},
        reads=True,
    ),
    Tool(
        name="read_file",
        description="Read one file of the project's workspace.",
        properties={"project": PROJECT, "path": TEXT},
        required=("project", "path"),
        work=lambda agent, given: agent.files.read(given["path"]),
        reads=True,
    ),
    Tool(
        name="write_files",
        description="Write files into the project's workspace, all or none; a file that is there is replaced. They"
        " become part of the project with commit_files.",
        properties={
            "project": PROJECT,
            "files": {"type": "array", "items": FILE, "minItems": 1, "maxItems": 1000},
        },
        required=("project", "files"),
        work=lambda agent, given: agent.files.write(given["files"]),
        repeatable=True,
    ),
    Tool(
        name="delete_files",
        description="Delete files of the project's workspace, and directories with all they hold; all or none.",
        properties={"project": PROJECT, "paths": PATHS},
        required=("project", "paths"),
        work=lambda agent, given: agent.files.delete(given["paths"]),
    ),
    Tool(
        name="diff_files",
        description="Return how the project's workspace differs from its newest generation, as a unified diff.",
        properties={"project": PROJECT, "paths": PATHS},
        required=("project",),
        work=lambda agent, given: agent.files.diff(given.get("paths")),
        reads=True,
    ),
    Tool(
        name="commit_files",
        description="Make a generation (a commit) of what the project's workspace holds, and nothing else: begin with"
        " check_out_files to keep what there was. Archives and exports are made of the newest generation.",
        properties={"project": PROJECT},
        required=("project",),
        work=lambda agent, _: agent.files.commit(),
        repeatable=True,
    ),
]
_DELIVERIES = [
    Tool(
        name="package_project",
        description="Package the project's newest generation as an archive, in the background. Returns a task; wait"
        " for it with read_task. To download it, use export_project and download_link.",
        properties={"project": PROJECT, "format": {"enum": list(Archive.Format.values), "default": "zip"}, "key": KEY},
        required=("project",),
        work=lambda agent, given: agent.deliveries.package(given.get("format", "zip"), key=given.get("key")),
    ),
    Tool(
        name="export_project",
        description="Deliver the project's newest generation, in the background: as an archive to download (zip, tar,"
        " tar.gz), or to a repository on a host. A host's token is never given here: name a credential. Returns a task;"
        " wait for it with read_task, whose result names the export.",
        properties={
            "project": PROJECT,
            "to": {"enum": [*Archive.Format.values, *HOSTS]},
            "repository_name": {**TEXT, "description": "git: on the server itself; github, gitlab: on the host."},
            "credential": {**TEXT, "description": "The name of a stored credential."},
            "url": {**TEXT, "description": "git: an https remote that exists, instead of repository_name."},
            "organization": {**TEXT, "description": "github: whose it is to be."},
            "private": {"type": "boolean", "description": "github: of a new repository; default true."},
            "namespace": {**TEXT, "description": "gitlab: the full path of a group."},
            "visibility": {"enum": ["private", "internal", "public"], "description": "gitlab: of a new project."},
            "branch": {**TEXT, "description": "Default main."},
            "description": {"type": "string", "maxLength": 2000, "description": "Of a new repository."},
            "topics": {"type": "array", "items": TEXT, "maxItems": 20, "description": "Of a new repository."},
            "key": KEY,
        },
        required=("project", "to"),
        work=lambda agent, given: agent.deliveries.export(
            **{name: value for name, value in given.items() if name != "project"}
        ),
    ),
    Tool(
        name="read_task",
        description="Wait until a task of package_project or export_project has ended, and return its status, and its"
        " result or error.",
        properties={"task": {**TEXT, "description": "The task's id."}, "wait_seconds": WAIT},
        required=("task",),
        work=lambda agent, given: agent.deliveries.task(given["task"]),
        again=lambda agent, given: agent.deliveries.task(given["task"], noted=False),
        settled=lambda seen: seen["status"] not in {"pending", "running"},
        reads=True,
    ),
    Tool(
        name="download_link",
        description="Return a link with which an archive that was exported is downloaded without a token, for a short"
        " while. Give it to a person, or fetch it.",
        properties={
            "export": {**TEXT, "description": "The export's id: `export` in the result of its task."},
            "seconds": {"type": "integer", "minimum": 1, "maximum": LONGEST_SECONDS, "default": SECONDS},
        },
        required=("export",),
        work=lambda agent, given: agent.deliveries.link(given["export"], seconds=given.get("seconds", SECONDS)),
    ),
]

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in [*_RUNS, *_FILES, *_DELIVERIES]})


def _state(seen: dict[str, Any]) -> dict[str, Any]:
    state = {name: value for name, value in seen.items() if name not in {"events", "next"}}
    return {**state, "ended": seen["status"] in ENDED}
