"""The marks of tool calls that stand in a text."""

from __future__ import annotations

import re

_BAR = "[|\uff5c]"
# Fixed words and bounded gaps only, so that a scan takes linear time.
CALL = re.compile(
    rf"(?:<|&lt;){_BAR}(?:\w{{1,20}}[:\uff5c])?(?:start_)?"
    r"(?:tool|function|invoke\s|python_tag|action|execute_tool)"
    r"|(?:<|&lt;)(?:\w{1,20}[:\uff5c])?(?:start_)?"
    r"(?:(?:tool|function)(?:(?:_?calls?|_code|_use|_request)(?![a-z])|=)"
    r"|(?:tool|function|invoke)\s{1,3}name=|python_tag|execute_tool|action_start)"
    r"|\[(?:TOOL_CALL|FUNCTION_CALL)|```(?:tool|function)_?(?:calls?|code|use)(?![a-z])"
    r"|\u273fFUNCTION\u273f|\bto=functions\.",
    re.IGNORECASE,
)
"""Beginnings of calls, in any family's dialect, that nothing else has."""
LOOSE = re.compile(r"(?:<|&lt;)(?:tool|function|action|invoke)s?(?:>|&gt;)", re.IGNORECASE)
"""Beginnings of calls that an answer's words may have too: a call must follow at once."""
BARE = re.compile(r"^[ \t]{0,9}(?:```\w{0,10}\s{0,9})?(?=[\[{])", re.MULTILINE)
"""Beginnings of JSON without a mark: its own line, or a block of code."""
BARE_IN_TEXT = r"\n[ \t]{0,9}[\[{]"
"""The same within a text, where a block of code has its own mark."""
CALL_BEGINNINGS = (
    "[tool_call",
    "[function_call",
    "```",
    "\u273ffunction\u273f",
    "to=functions.",
)
"""How a mark that is no tag may begin, in lower case."""
