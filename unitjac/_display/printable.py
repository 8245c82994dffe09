"""Texts of others that stand in a line of ours.

Owns: what a name may not do to a terminal or a table. Never touches: layout.
"""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""``text`` in one line, with the characters that steer a terminal written out.

    Examples
    --------
    >>> print(printable("g\n\x1b[31mNa"))
    g\n\x1b[31mNa
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else ascii(c)[1:-1] for c in text)
