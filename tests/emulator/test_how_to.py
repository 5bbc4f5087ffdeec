"""The pages about the emulator do what they say."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from talkjs_async.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "emulator.md"
API_PAGE = PAGE.with_name("emulator-api.md")


def test_the_first_program_runs_as_printed() -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "[('PUT', '/users/alice', 200)]\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


def test_every_call_of_the_api_s_page_is_answered(tmp_path: Path) -> None:
    """The shell script as printed, with a port that is free, and a check of every answer."""
    script = re.findall(r"```sh\n(.*?)```", API_PAGE.read_text(), re.DOTALL)[0]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = script.replace("8421", str(port)).replace("python", sys.executable)
    script = script.replace("curl -sS", "curl -fsS")
    # Nothing listens to the webhooks; the time for that is not what is tested.
    script = script.replace('"timeout": 5', '"timeout": 0.1')

    answers = tmp_path / "answers"
    # Into a file: the emulator outlives the script by a moment, and would hold a pipe open.
    with answers.open("w") as written:
        done = subprocess.run(
            ["bash", "-ec", script], stdout=written, stderr=written, timeout=60, check=False
        )

    assert 0 == done.returncode, answers.read_text()
    assert '"kind":"message.sent"' in answers.read_text()


def test_the_seed_that_is_printed_can_be_loaded(tmp_path: Path) -> None:
    seed = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    (tmp_path / "seed.toml").write_text(seed)
    emulator = Emulator()

    emulator.load(tmp_path / "seed.toml")

    (conversation,) = emulator.main_app.conversations.values()
    assert (1, "Order 1") == (len(conversation.messages), conversation.subject)
