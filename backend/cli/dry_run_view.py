"""A dry run as people read it in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from backend.apps.projects.services.text_diff import lines_of
from backend.apps.workflows.file_trees import FileTree
from backend.apps.workflows.services.dry_run import DryRun
from backend.apps.workflows.services.dry_values import DryStep
from backend.cli.execution_view import size
from backend.cli.messages import visible

MARKS = {"completed": ("✓", "green"), "skipped": ("-", "dim"), "failed": ("✗", "red"), "unclear": ("?", "magenta")}
SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red"), "unchanged": (" ", "dim")}
MOST_EFFECTS = 20
LONGEST_BODY = 400


def print_dry_run(run: DryRun, console: Console, *, contents: bool) -> None:
    """Print what would become of each step, the tree of files, and how the run would end.

    contents: also the text of new files, and the diffs of the others.
    """
    where = f" on {run.project}" if run.project else ""
    console.print(Text.assemble((visible(run.workflow), "bold"), f"{visible(where)}: a dry run, nothing is done"))
    for step in run.steps:
        for line in _step(step):
            console.print(Text("  ").append_text(line), soft_wrap=True)
    if run.files is not None:
        console.print()
        # Without soft_wrap, which cuts the lines of a tree at the terminal's edge.
        console.print(_tree(run.files))
        for line in _contents(run.files) if contents else ():
            console.print(line, soft_wrap=True)
    console.print()
    for warning in run.warnings:
        console.print(Text(visible(warning), "yellow"), soft_wrap=True)
    for name, value in run.outputs.items():
        console.print(Text.assemble(("output ", "dim"), visible(f"{name} = {_as_text(value)}")), soft_wrap=True)
    console.print(_ending(run), soft_wrap=True)


def _step(step: DryStep) -> Iterator[Text]:
    mark, style = MARKS[step.status]
    head = Text.assemble((f"{mark} ", style), (visible(step.name), "bold" if step.status == "completed" else style))
    if step.repeated and step.items is not None:
        head.append(f"  {step.items} items", "dim")
    elif step.repeated:
        head.append("  for items that are not known yet", "magenta")
    yield head
    if step.why:
        yield Text(f"    {visible(step.why)}", style)
    if not step.condition_known:
        yield Text(f"    if {visible(str(step.condition))}, which is not known yet", "magenta")
    for effect in step.effects[:MOST_EFFECTS]:
        yield Text(f"    {visible(effect.summary)}")
        if effect.kind == "requests" and effect.details.get("body") is not None:
            yield Text(f"      {visible(_as_text(effect.details['body']))}", "dim")
    if len(step.effects) > MOST_EFFECTS:
        yield Text(f"    and {len(step.effects) - MOST_EFFECTS} more; all of them with --json", "dim")


def _tree(tree: FileTree) -> Tree:
    against = "the newest generation" if tree.against else "an empty project"
    root = Tree(Text(f"Files, against {against}", "bold"))
    branches: dict[str, Tree] = {"": root}
    for file in tree.files:
        sign, style = SIGNS[file.status]
        line = Text.assemble((f"{sign} ", style), (visible(file.path.rpartition("/")[2]), style))
        line.append(f"  {size(file.size)}", "dim")
        for wanted, word in ((file.executable, "executable"), (file.open, "not known in full")):
            if wanted:
                line.append(f"  {word}", "dim" if word == "executable" else "magenta")
        _branch(branches, file.path.rpartition("/")[0]).add(line)
    for path in tree.directories:
        _branch(branches, path)
    if tree.more:
        root.add(Text(f"and {tree.more} more files", "dim"))
    for sentence in tree.incomplete:
        root.add(Text(visible(sentence), "magenta"))
    return root


def _branch(branches: dict[str, Tree], path: str) -> Tree:
    if path not in branches:
        above, _, name = path.rpartition("/")
        branches[path] = _branch(branches, above).add(Text(f"{visible(name)}/", "blue"))
    return branches[path]


def _contents(tree: FileTree) -> Iterator[Text]:
    for file in tree.files:
        shown = file.diff if file.diff is not None else file.content
        if file.status == "unchanged":
            continue
        yield Text(f"\n{visible(file.path)} ({file.status})", "bold")
        if shown is None:
            yield Text("  not shown: it is no text, or too large", "dim")
            continue
        for line in lines_of(shown):
            yield Text(
                visible(line.rstrip("\r\n" if file.diff is None else "\n")),
                _style(line) if file.diff is not None else "",
            )
        if file.cut:
            yield Text("  ... and more", "dim")


def _style(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "bold"
    return {"@": "cyan", "+": "green", "-": "red"}.get(line[:1], "")


def _ending(run: DryRun) -> Text:
    if run.outcome == "failed":
        error = run.error or {}
        step = f"at {error['step']}: " if error.get("step") else ""
        return Text(f"A run would fail {visible(step)}{visible(str(error.get('message', '')))}", "red")
    files: Any = run.files
    counts = [(getattr(files, status), status) for status in ("added", "changed", "removed")] if files else []
    told = ", ".join(f"{number} {status}" for number, status in counts if number)
    return Text(f"A run would complete{f'; files: {told}' if told else ''}.", "green")


def _as_text(value: Any) -> str:  # noqa: ANN401  (JSON)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]}..."
