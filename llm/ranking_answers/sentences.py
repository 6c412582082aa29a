"""Where sentences and remarks of an answer end."""

from __future__ import annotations

import re

SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
REMARK_END = re.compile(r"[.!?](?=\s)|[\n(;]")
"""Also the beginning of something in brackets or after a semicolon."""
