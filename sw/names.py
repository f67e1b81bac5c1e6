"""Names that a model gives are anybody's text: one way to write them for each medium that they reach.

HTML needs none of its own: templates and figures escape all text, after :func:`printable`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from urllib.parse import quote

__all__ = ["archive_member", "in_c_comment", "printable", "toml_key"]

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of text, so that it reads as something else."""

_LONGEST = 150
"""Characters of a member's name in an archive; longer ones end in a digest."""


def printable(text: str) -> str:
    r"""One line that a terminal shows and does not obey: control characters and the like as ``\x1b`` or ``\u202e``."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING
    return character.encode("unicode_escape").decode("ascii") if hidden else character


def in_c_comment(text: str) -> str:
    """Text within a C comment, in ASCII: it neither ends the comment nor begins one, nor joins lines."""
    ascii_text = printable(text).encode("ascii", "backslashreplace").decode("ascii")
    return ascii_text.replace("\\", "/").replace("*", "+").replace("//", "/ /").replace("??", "? ?")


def toml_key(text: str) -> str:
    """A quoted key of TOML, which reads as the text again."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def archive_member(name: str) -> str:
    """Name of a member of a zip archive: the text itself where that is harmless, else percent-encoded as a whole.

    Not harmless is what could lead out of a folder, what is hidden, and what is too long.
    """
    leads_out = "\\" in name or any(part in ("", ".", "..") for part in name.split("/"))
    if not leads_out and printable(name) == name and len(name) <= _LONGEST:
        return name
    encoded = quote(name, safe="", errors="surrogatepass")
    if not encoded.strip("."):
        encoded = encoded.replace(".", "%2E") or "%"
    if len(encoded) <= _LONGEST:
        return encoded
    return f"{encoded[:_LONGEST]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
