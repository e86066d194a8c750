"""The console's components as template tags: icons, states, moments, durations, sizes. The looks are in the CSS.

They make text into markup and know nothing of where it comes from; what they are given is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@dataclass(frozen=True)
class State:
    """How a status looks: a colour by its class, an icon, and a word, so that no meaning hangs on colour alone."""

    word: str
    icon: str
    look: str


STATES = {
    "pending": State("Pending", "circle-dashed", "idle"),
    "running": State("Running", "loader-circle", "busy"),
    "completed": State("Completed", "circle-check", "good"),
    "failed": State("Failed", "circle-x", "bad"),
    "cancelled": State("Cancelled", "ban", "idle"),
    "cancelling": State("Cancelling", "ban", "warn"),
    "paused": State("Paused", "circle-pause", "warn"),
    "skipped": State("Skipped", "circle-slash", "idle"),
    "in_doubt": State("In doubt", "circle-question-mark", "doubt"),
    "waiting": State("Waiting", "hourglass", "warn"),
    "planning": State("Planning", "loader-circle", "busy"),
    "in_flight": State("In flight", "loader-circle", "busy"),
    "generating": State("Generating", "loader-circle", "busy"),
    "exporting": State("Exporting", "loader-circle", "busy"),
    "archived": State("Archived", "archive", "idle"),
    "queued": State("Queued", "hourglass", "warn"),
    "scheduled": State("Scheduled", "clock", "idle"),
    "accepted": State("Accepted", "circle-check", "good"),
    "rejected": State("Rejected", "circle-x", "bad"),
    "unchecked": State("Not checked", "circle-question-mark", "idle"),
    "expiring": State("Ends soon", "hourglass", "warn"),
    "expired": State("Expired", "circle-x", "bad"),
    "started": State("Started", "play", "busy"),
    "ok": State("OK", "circle-check", "good"),
    "degraded": State("Degraded", "triangle-alert", "warn"),
    "down": State("Down", "circle-x", "bad"),
}
NOTHING = "\N{EN DASH}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def state_of(status: str) -> State:
    """Return how a status looks; one that is not known here looks idle and says its own word."""
    return STATES.get(status) or State(status.replace("_", " ").capitalize(), "circle", "idle")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon. label: what it says to those who do not see it; without one it is ornament."""
    address = static("console/icons.svg")
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', label, address, name
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', address, name)


@register.simple_tag
def use_icon(name: str) -> SafeString:
    """Draw what an icon consists of, inside a drawing of one's own."""
    return format_html('<use href="{}#{}"></use>', static("console/icons.svg"), name)


@register.simple_tag
def badge(status: str, word: str = "") -> SafeString:
    """Draw a status with icon and word."""
    state = state_of(status)
    return format_html('<span class="badge is-{}">{}{}</span>', state.look, icon(state.icon), word or state.word)


@register.simple_tag
def state_icon(status: str) -> SafeString:
    """Draw a status as an icon alone, with its word for those who do not see it."""
    state = state_of(status)
    return format_html('<span class="state is-{}">{}</span>', state.look, icon(state.icon, state.word))


@register.filter
def look(status: str) -> str:
    """Return the class that colours what has this status."""
    return f"is-{state_of(status).look}"


@register.filter
def word(status: str) -> str:
    """Return a status as people say it."""
    return state_of(status).word


@register.simple_tag
def moment(when: datetime | None, empty: str = NOTHING) -> SafeString | str:
    """Write a moment as people say it, with the exact time behind it. Scripts keep it up to date."""
    if when is None:
        return empty
    exact = date_format(when, "j M Y, H:i:s") + " UTC"
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', when.isoformat(), exact, ago(when, timezone.now())
    )


@register.simple_tag
def clock(when: datetime | None) -> SafeString | str:
    """Write the time of day to the second, with the date behind it."""
    if when is None:
        return ""
    exact = date_format(when, "j M Y, H:i:s") + " UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', when.isoformat(), exact, date_format(when, "H:i:s"))


def ago(when: datetime, now: datetime) -> str:
    """Say how long ago it was, or in how long it will be."""
    seconds = (now - when).total_seconds()
    if abs(seconds) < 1:
        return "now"
    said = _roughly(abs(seconds))
    return f"{said} ago" if seconds > 0 else f"in {said}"


def _roughly(seconds: float) -> str:
    for limit, unit, name in ((_MINUTE, 1, "s"), (_HOUR, _MINUTE, "min"), (_DAY, _HOUR, "h")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name}"
    days = int(seconds // _DAY)
    return f"{days} day" if days == 1 else f"{days} days"


@register.filter
def duration(seconds: float | None) -> str:
    """Write a duration in its two largest units."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


@register.simple_tag
def took(row: Any) -> str:  # noqa: ANN401  (whatever has `started_at` and `completed_at`)
    """Write how long something took, or has taken by now."""
    if row.started_at is None:
        return NOTHING
    return duration(((row.completed_at or timezone.now()) - row.started_at).total_seconds())


@register.filter
def size(count: int | None) -> str:
    """Write a number of bytes as people read it."""
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{int(value)} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


@register.filter
def short(identifier: Any) -> str:  # noqa: ANN401  (whatever has a text)
    """Return the beginning of an id or digest, by which people tell it from others."""
    return str(identifier)[:8]
