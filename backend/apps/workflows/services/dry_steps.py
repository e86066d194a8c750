"""Works one step of a dry run out: its condition, its items, its config, and what each of its tasks would do.

It mirrors what `execution.advance` and `execution.chains` do when a step starts, and does nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.apps.credentials.secret import HIDDEN
from backend.apps.credentials.services.literal_secrets import changed, literals, replaced, require_nowhere_else
from backend.apps.credentials.services.sealing import hide_tokens
from backend.apps.workflows import previews, step_types
from backend.apps.workflows.decisions.items import require_items
from backend.apps.workflows.definitions.definition import Step
from backend.apps.workflows.definitions.schema import check, check_open
from backend.apps.workflows.definitions.unknown import PartialRendering, Unknown, is_known
from backend.apps.workflows.previews import Asked, Effect, Preview, Unclear
from backend.apps.workflows.services.dry_values import DryStep, Work
from backend.apps.workflows.step_types import Link
from backend.errors import InvalidInput, RepomillError

OUT_OF_TIME = "The dry run took too long to work this step out."
# What code that was written for values of a schema raises where it is given a text that stands for one.
_STUMBLED = (TypeError, ValueError, LookupError, AttributeError)


def work_out(work: Work, step: Step) -> DryStep:
    """Return what would become of a step whose turn has come."""
    if work.clock() > work.until:
        return _unclear(step, OUT_OF_TIME)
    rendering = PartialRendering(work.data)
    try:
        condition = _condition(step, rendering)
        if condition is False:
            return DryStep.of(step, status="skipped", why=f"Skipped: its condition {step.condition} is false.")
        done = _Doing(work, step, rendering)
        found = done.repeated() if step.each is not None else done.once()
    except RepomillError as error:
        return DryStep.of(step, status="failed", why=error.message, error=error.as_json())
    except Unclear as unclear:
        found = _unclear(step, str(unclear))
    if isinstance(condition, Unknown):
        # It may be skipped, and has no result then.
        found = replace(found, condition=condition, result=_unknown_result(step))
    return replace(found, missing=tuple(dict.fromkeys(rendering.missing)))


def _unclear(step: Step, why: str) -> DryStep:
    return DryStep.of(step, status="unclear", why=why, result=_unknown_result(step))


def _unknown_result(step: Step) -> Unknown:
    return Unknown.of(f"steps.{step.id}.result")


def _condition(step: Step, rendering: PartialRendering) -> bool | Unknown:
    if step.condition is None:
        return True
    value = rendering.render(step.condition, ("steps", step.id, "condition"))
    if not isinstance(value, bool | Unknown):
        raise InvalidInput(
            f"The condition {step.condition} yields {type(value).__name__}.",
            path=f"steps.{step.id}.condition",
            expected="true or false",
        )
    return Unknown(step.condition) if isinstance(value, Unknown) else value


class _Doing:
    """A step that is done, once or for each item."""

    def __init__(self, work: Work, step: Step, rendering: PartialRendering) -> None:
        self.work = work
        self.step = step
        self.rendering = rendering

    def once(self) -> DryStep:
        """Return the step, done once."""
        effects, result = self._chain(self.rendering, origin=f"steps.{self.step.id}.result")
        return DryStep.of(self.step, status="completed", effects=effects, result=result)

    def repeated(self) -> DryStep:
        """Return the step, done for each of its items as far as they are shown."""
        step, work = self.step, self.work
        value = self.rendering.render(step.each, ("steps", step.id, "each"))
        if isinstance(value, Unknown):
            item = {"item": Unknown.of("item"), "item_index": Unknown.of("item_index")}
            effects, _ = self._chain(self._with(item), origin=f"steps.{step.id}.result")
            return DryStep.of(step, status="completed", effects=effects, result=_unknown_result(step))
        items = require_items(value, each=str(step.each), path=f"steps.{step.id}.each")
        effects_of_all: list[Effect] = []
        results: list[Any] = []
        for index, item in enumerate(items[: work.most_items]):
            if work.clock() > work.until:
                break
            try:
                effects, result = self._chain(
                    self._with({"item": item, "item_index": index}), origin=f"steps.{step.id}.result[{index}]"
                )
            except InvalidInput as error:
                error.place["item"] = index
                error.message = f"Item {index}: {error.message}"
                raise
            effects_of_all += effects
            results.append(result)
        shown = len(results)
        if shown < len(items):
            work.warnings.append(f"Of the {len(items)} items of the step {step.id!r}, the first {shown} are shown.")
            work.memory.setdefault(previews.NOT_SHOWN, []).append(step.id)
        results += [Unknown.of(f"steps.{step.id}.result[{index}]") for index in range(shown, len(items))]
        return DryStep.of(
            step,
            status="completed",
            items=len(items),
            shown_items=shown,
            effects=tuple(effects_of_all),
            result=results,
        )

    def _with(self, item: Mapping[str, Any]) -> PartialRendering:
        return PartialRendering({**self.rendering.data, **item}, self.rendering.missing)

    def _chain(self, rendering: PartialRendering, *, origin: str) -> tuple[tuple[Effect, ...], Any]:
        """Return what one chain of tasks would do, and its result."""
        config = rendering.render(self.step.config, ("steps", self.step.id, "config"))
        effects, results = [], []
        for link in _links(self.step, _hidden(config)):
            preview = self._preview(link, origin)
            effects.append(preview.effect)
            results.append(preview.result)
        step_type = step_types.get(self.step.type)
        try:
            result = step_type.result(results) if step_type else Unknown.of(origin)
        except _STUMBLED:
            result = Unknown.of(origin)
        return tuple(effects), result

    def _preview(self, link: Link, origin: str) -> Preview:
        asked = Asked(
            method=link.method,
            arguments=link.arguments,
            origin=origin,
            user=self.work.user,
            project=self.work.project,
            memory=self.work.memory,
        )
        preview = previews.get(link.method)
        if preview is None:
            effect = Effect("calls", f"calls {link.method}", {"method": link.method, "arguments": link.arguments})
            return Preview(effect, Unknown.of(origin))
        found = preview(asked)
        if found.needs_project and self.work.project is None:
            self.work.miss_project(self.step)
        return found


def _hidden(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config without its secrets. Raises InvalidInput, as a real step does, where one stands elsewhere."""
    known = changed(config, lambda value, place: HIDDEN if isinstance(value, Unknown) else value)  # noqa: ARG005
    found = {place: secret for place, secret in literals(known).items() if secret.reveal() != HIDDEN}
    require_nowhere_else(replaced(config, dict.fromkeys(found)), found)
    return hide_tokens(config)


def _links(step: Step, config: dict[str, Any]) -> list[Link]:
    """Return the step's tasks. Raises InvalidInput for what does not fit, and Unclear where too much is not known."""
    step_type = step_types.get(step.type)
    if step_type is None:
        raise InvalidInput(f"The step type {step.type!r} is not installed here.", path=f"steps.{step.id}.type")
    misfit = check_open(config, step_type.config_schema, is_open=lambda text: isinstance(text, Unknown))
    if misfit:
        path = ".".join(str(part) for part in ("steps", step.id, "config", *misfit.path))
        raise InvalidInput(misfit.sentence, path=path, expected=misfit.expected)
    if is_known(config):
        return step_type.links(config)
    try:
        return step_type.links(config)
    except (InvalidInput, *_STUMBLED) as error:
        open_part = check(config, step_type.config_schema)
        if open_part is None and isinstance(error, InvalidInput):
            # Whatever the texts will be, they are texts: the fault is elsewhere.
            raise
        raise Unclear("What it would do depends on values that are not known yet.") from error
