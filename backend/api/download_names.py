"""The name under which a browser keeps what it downloads: a Content-Disposition header (RFC 6266). Pure.

Both names in it are ours: a plain one of ASCII that every client understands, and the one that people gave, made
harmless, for the others. Nothing of what a user wrote reaches the header but letters, digits and a few signs.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

LONGEST_NAME = 120
"""Characters of a name without its ending."""
LONGEST_BYTES = 200
"""Bytes of a whole name in UTF-8: file systems take 255."""
NAMELESS = "download"

# What a file system, a shell or the header itself would read as something else.
_RESERVED = re.compile(r"[\\/:*?\"<>|;%'`$&{}\[\]()!#^~=,\s]+")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
# Controls, formats (among them what turns the direction of writing), surrogates, private and unassigned, separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def attachment(name: str, *, ending: str = "", plain: str | None = None) -> str:
    """Return the value of a Content-Disposition header that keeps what is sent under this name, and shows it nowhere.

    name: whatever people called it. ending: what the name ends with in every case, such as `.zip`; it is the caller's.
    plain: the name for clients that know ASCII alone; default what is left of the other one.
    """
    stem = safe_name(name.removesuffix(ending) if ending else name)
    ascii_stem = safe_name((stem if plain is None else plain).encode("ascii", "ignore").decode())
    known_to_all = f"{ascii_stem}{ending}"
    header = f'attachment; filename="{known_to_all}"'
    full = f"{_cut(stem, LONGEST_BYTES - len(ending))}{ending}"
    return header if full == known_to_all else f"{header}; filename*=UTF-8''{quote(full, safe='')}"


def safe_name(name: str) -> str:
    """Return a name of one path segment that no system changes or takes for something else; never an empty one."""
    seen = (char if unicodedata.category(char) not in _UNSEEN else " " for char in unicodedata.normalize("NFC", name))
    kept = _RESERVED.sub("-", "".join(seen)).strip("-. ")[:LONGEST_NAME].strip("-. ")
    if not kept:
        return NAMELESS
    return f"_{kept}" if _DEVICES.fullmatch(kept) else kept


def _cut(name: str, most: int) -> str:
    return name.encode()[:most].decode("utf-8", "ignore")
