"""What the engine calls an execution's `inputs` is `input_data` in a request: an error names what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import InvalidInput

_INPUTS = re.compile(r"inputs(?=[.\[]|$)")


@contextmanager
def named_as_sent() -> Iterator[None]:
    """Let an InvalidInput of what is done within name a wrong input as the request did."""
    try:
        yield
    except InvalidInput as error:
        if "field" in error.place:
            error.place["field"] = _INPUTS.sub("input_data", str(error.place["field"]), count=1)
        raise
