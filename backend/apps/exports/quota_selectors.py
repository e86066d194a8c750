"""What is left of hosts' limits for credentials, as far as deliveries have learned it. It asks Redis and no host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from backend.apps.credentials.models import Credential
from backend.apps.exports.services.pacing_store import HOSTS_OWN, Pacer, RedisUnavailable, accounts


@dataclass(frozen=True)
class Left:
    """What is left of one limit of a host. host_says: whether the host itself counts so, and not we."""

    limit: str
    number: int
    host_says: bool


@dataclass(frozen=True)
class Quota:
    """What is left for one credential. until: before which the host wants nothing sent; None where it does not say."""

    left: tuple[Left, ...]
    until: datetime | None


def quotas_of(credentials: Sequence[Credential], *, now: datetime) -> dict[UUID, Quota] | None:
    """Return what is known of those that were delivered with in the last days. None: Redis does not answer."""
    wanted = {(row.host, f"{row.owner.get_username()}/{row.name}"): row.pk for row in credentials}
    found: dict[UUID, Quota] = {}
    try:
        for name, account in accounts():
            pk = wanted.get((account.kind, name))
            if pk is None:
                continue
            pacer = Pacer(account, clock=now.timestamp)
            left = tuple(Left(limit, number, limit == HOSTS_OWN) for limit, number in pacer.left().items())
            blocked = pacer.state().blocked_until
            until = datetime.fromtimestamp(blocked, tz=UTC) if blocked > now.timestamp() else None
            found[pk] = Quota(left, until)
    except RedisUnavailable:
        return None
    return found
