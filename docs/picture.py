"""
Draw `docs/picture.png`: the command line beside the page of the emulator. `python docs/picture.py`.

Needs Chromium. All that the picture shows comes from the programs themselves: commands are run
against an emulator on a port, whose page is then looked at.
"""

from __future__ import annotations

import base64
import contextlib
import html
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from talkjs_async.cli import run
from talkjs_async.emulator import Emulator, RealClock

PICTURE: Final = Path(__file__).with_name("picture.png")
COMMANDS: Final = [
    "list users",
    "send red-bicycle 'Is it still there?' --sender sebastian",
    "list messages red-bicycle --limit 3",
    "request GET /users/alice --json",
]
PAGE: Final = """\
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; display: flex; gap: 16px; padding: 16px; background: #dde1ea; }
pre, img { border-radius: 8px; box-shadow: 0 2px 8px #0004; height: 560px; margin: 0; }
pre { box-sizing: border-box; width: 560px; padding: 16px; background: #1b1d23; color: #e6e6e6;
  font: 13px/1.5 monospace; white-space: pre-wrap; overflow: hidden; overflow-wrap: anywhere; }
b { color: #8fd3a8; } img { width: 660px; object-fit: cover; object-position: top left; }
</style><pre>%s</pre><img src="data:image/png;base64,%s">
"""


def terminal(base_url: str, emulator: Emulator) -> str:
    """Run the commands; return what a terminal would show, as HTML."""
    os.environ.update(
        TALKJS_BASE_URL=base_url,
        TALKJS_APP_ID=emulator.app_id,
        TALKJS_SECRET_KEY=emulator.secret_key,
    )
    shown = ""
    for command in COMMANDS:
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            run([part.strip("'") for part in _words(command)])
        shown += (
            f"<b>$ talkjs-async {html.escape(command)}</b>\n{html.escape(written.getvalue())}\n"
        )
    return shown


def _words(command: str) -> list[str]:
    before, quoted, after = (*command.split("'"), "", "")[:3]
    return [*before.split(), *([quoted] if quoted else []), *after.split()]


def photograph(url: str, target: Path, width: int, height: int) -> None:
    """Have Chromium save a picture of a page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--timeout=4000",
                f"--screenshot={target}",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Draw the picture."""
    emulator = Emulator(clock=RealClock(), app_id="shop")
    emulator.load("demo")
    with emulator.serve() as server, tempfile.TemporaryDirectory() as directory:
        shown = terminal(server.base_url, emulator)
        page, both = Path(directory) / "page.png", Path(directory) / "both.html"
        photograph(f"{server.base_url}/_emulator/", page, 1100, 933)
        drawn = base64.b64encode(page.read_bytes()).decode()
        both.write_text(PAGE % (shown, drawn), "utf-8")
        photograph(both.as_uri(), PICTURE, 1268, 592)


if __name__ == "__main__":
    main()
