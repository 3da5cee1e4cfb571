"""Texts that come from file names, headers and tables, made safe to show."""

from __future__ import annotations

import unicodedata

# Control codes, what is invisible or turns the direction of writing, and halves of characters.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_KEPT = frozenset("\n\t")


def visible(text: str) -> str:
    r"""Write what cannot be seen as escapes, such as ``\x1b``; line breaks and tabs stay.

    A terminal would obey control codes, and half a character cannot be written at all.
    """
    if text.isprintable():
        return text
    return "".join(
        _escape(character)
        if unicodedata.category(character) in _UNSEEN and character not in _KEPT
        else character
        for character in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )
