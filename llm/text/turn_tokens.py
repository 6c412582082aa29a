"""The tokens of chat templates that begin or end a turn, where a server leaves them in its text."""

from __future__ import annotations

import re

_ENDS = (
    *("im_end", "im_start", "end", "return", "eot", "eot_id", "eom_id", "end_of_text", "endoftext"),
    *("end_of_turn", "end_of_role", "end_of_turn_token", "start_header_id", "start_of_role"),
    *("user", "system", "observation", "endofprompt", "endofturn", "start_of_turn_token", "eos"),
)
_TURN_END = re.compile(
    rf"<\|(?:{'|'.join(_ENDS)})\|>|<\uff5c(?:end\u2581of\u2581sentence|User|EOT)\uff5c>"
    r"|<(?:eos|im_end|end_of_turn|start_of_turn|turn\|)>?|<\|turn>|\[/?INST\]|\[EOS\]",
    re.IGNORECASE,
)
_S_END = re.compile(r"</s>\s{0,9}(?=</?s>|\Z)", re.IGNORECASE)
"""The same, unless it strikes words through, as in HTML."""
_TURN_BEGIN = re.compile(
    r"\s{0,9}(?:(?:<\|(?:im_start|start_header_id|end_header_id|begin_of_text|startoftext|start"
    r"|assistant|start_of_role|start_of_turn_token|chatbot_token)\|>|<s>|<bos>|<start_of_turn>"
    r"|<\uff5c(?:begin\u2581of\u2581sentence|Assistant)\uff5c>)\s{0,3}"
    r"(?:(?:assistant|model)\b\s{0,3})?){1,6}",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"<\|[^<>|\n]{1,40}\|>|<\uff5c[^<>\uff5c\n]{1,40}\uff5c>")
TOKEN_BEGINNINGS = (
    *("<|", "<\uff5c", "</s>", "<s>", "<eos>", "<bos>", "<im_end>", "<end_of_turn>"),
    *("<start_of_turn>", "<turn|>", "[inst]", "[/inst]", "[eos]"),
)
"""How what is left of a turn may begin, in lower case."""


def own_turn(text: str) -> str:
    """Return what a text says in its own turn, without the tokens that surround or follow that.

    Args:
        text: A text without thoughts and calls.

    Returns:
        The same text if it holds no such token.
    """
    begun = _TURN_BEGIN.match(text)
    own = text[begun.end() :] if begun else text
    if end := _TURN_END.search(own):
        own = own[: end.start()]
    if (end := _S_END.search(own)) and "<s>" not in own[: end.start()].lower():
        own = own[: end.start()]
    if begun and "<s>" in begun[0].lower() and "</s>" in own.lower():
        return text
    own = _TOKEN.sub("", own)
    return text if own == text else own.strip()
