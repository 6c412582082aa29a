"""How large the JSON of a request may be: the limits are those that the messages name."""

import pytest
from re2llm.errors import InputError
from re2llm.interfaces.json_sizes import (
    DEEPEST,
    LONGEST_LIST,
    MOST_KEYS,
    MOST_PARTS,
    fault_of,
    unpacked,
)


def nested(depth: int, within: object = 1) -> object:
    for level in range(depth):
        within = {"a": within} if level % 2 else [within]
    return within


@pytest.mark.parametrize("within", [1, "text", None])
def test_as_many_levels_are_taken_as_the_message_says(within: object) -> None:
    assert fault_of(nested(DEEPEST, within)) == ""
    assert fault_of(nested(DEEPEST + 1, within)) == (
        f"Lists and objects are nested more than {DEEPEST} deep."
    )


def test_the_other_limits_are_what_the_messages_say() -> None:
    assert fault_of([1] * LONGEST_LIST) == ""
    assert f"over {LONGEST_LIST:,} entries" in fault_of([1] * (LONGEST_LIST + 1))
    assert fault_of({str(n): n for n in range(MOST_KEYS)}) == ""
    assert f"{MOST_KEYS:,} keys" in fault_of({str(n): n for n in range(MOST_KEYS + 1)})
    lists = [[[]] * 9_999 for _ in range(4)]
    rest = MOST_PARTS - 1 - 4 * 10_000
    assert fault_of([*lists, *[[]] * rest]) == ""
    assert f"more than {MOST_PARTS:,}" in fault_of([*lists, *[[]] * (rest + 1)])


def test_a_text_may_hold_as_much_as_a_document() -> None:
    whole = "[" * DEEPEST + "]" * DEEPEST
    assert isinstance(unpacked("history", whole), list)
    with pytest.raises(InputError, match=f"more than {DEEPEST} deep"):
        unpacked("history", f"[{whole}]")
