"""The tutorial shows what really happens: its prompt is typed, its answers are compared."""

from __future__ import annotations

import ast
import asyncio
import doctest
import re
from contextlib import redirect_stdout
from inspect import isawaitable
from io import StringIO
from pathlib import Path
from traceback import format_exception_only
from typing import Any

import pytest

from talkjs_async import TalkJSError

PAGE = Path(__file__).parents[1] / "docs" / "tutorial" / "first-steps.md"


def examples() -> list[doctest.Example]:
    prompts = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL))
    return doctest.DocTestParser().get_examples(prompts)


async def type_in(source: str, names: dict[str, Any]) -> str:
    """Type a statement as at the prompt of `python -m asyncio`, and return what is printed."""
    code = compile(source, PAGE.name, "single", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = StringIO()
    with redirect_stdout(printed):
        result = eval(code, names)
        if isawaitable(result):
            await result
    return printed.getvalue()


def test_the_prompt_of_the_tutorial_answers_as_it_shows() -> None:
    async def session() -> None:
        names: dict[str, Any] = {}
        for example in examples():
            if example.exc_msg is None:
                got = await type_in(example.source, names)
            else:
                with pytest.raises(TalkJSError) as caught:
                    await type_in(example.source, names)
                got = example.want.replace(example.exc_msg, format_exception_only(caught.value)[-1])
            assert checker.check_output(example.want, got, doctest.ELLIPSIS), got

    checker = doctest.OutputChecker()
    asyncio.run(session())
