"""
Everything that is checked, as sessions: `nox` runs them all, `nox -s tests` one.

Each test session installs the built wheel, never the source tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "layers", "types", "contract", "bare", "tests"]
# A missing Python is passed over at home and an error where the variable CI is set (nox's default);
# it is never downloaded.
nox.options.download_python = "never"


# uv brings certificates of its own; trust those that this machine trusts, as pip does.
os.environ.setdefault("UV_SYSTEM_CERTS", "1")


def use_all_of_pyenv() -> None:
    """Have pyenv's shims answer for every Python that is tested; they answer for one by default."""
    pyenv = shutil.which("pyenv")
    if pyenv is None or "PYENV_VERSION" in os.environ:
        return
    listed = subprocess.run(
        [pyenv, "versions", "--bare"], capture_output=True, check=True, text=True
    )
    kept = [each for each in listed.stdout.split() if each.rpartition(".")[0] in PYTHONS]
    if kept:
        os.environ["PYENV_VERSION"] = ":".join(kept)


use_all_of_pyenv()
HERE = [each for each in PYTHONS if shutil.which(f"python{each}")] or PYTHONS[-1:]
"""The Pythons that this machine has."""
NEWEST = HERE[-1]
"""Benchmarks, harnesses and coverage run on it."""
PAIRS = (
    ("asyncio", "httpx and not httpx2"),
    ("trio", "httpx and not httpx2"),
    ("asyncio", "httpx2"),
    ("trio", "httpx2"),
)
"""Of event loop and library: of several Pythons the newest takes the first, and so on."""


def part_of(python: str) -> str:
    """What runs on one of several Pythons, as `pytest -k`: one pair, and what names no loop."""
    loop, library = PAIRS[HERE[::-1].index(python)]
    return f"{loop} and ({library} or not httpx) or not (asyncio or trio)"


def groups(*names: str) -> list[str]:
    """The requirements of dependency groups, for `session.install`."""
    return list(nox.project.dependency_groups(PROJECT, *names))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format; hadolint: the container of the emulator."""
    session.install(*groups("lint"))
    session.run("hadolint", "examples/emulator/Dockerfile")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def layers(session: nox.Session) -> None:
    """import-linter: imports only go down."""
    session.install("-e", ".", *groups("lint"))
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on everything, pyright on the public face."""
    session.install(f".[{EXTRAS}]", *groups("types"))
    session.run("mypy", "talkjs_async", "tests", "examples", "benchmarks", "docs", "noxfile.py")
    session.run("pyright", "talkjs_async", "tests/typing", "examples")
    session.run("pyright", "--verifytypes", "talkjs_async", "--ignoreexternal")
    session.run("pytest", "tests/typing")


@nox.session
def contract(session: nox.Session) -> None:
    """The emulator against our own description of the API; calls under other answers of TalkJS."""
    session.install(f".[{EXTRAS}]", *groups("test"), "schemathesis>=4")
    # The rest of the contract is part of the suite.
    session.run("pytest", "tests/contracts/test_openapi.py")
    session.run("python", "-m", "tests.pairwise", "-n", "auto")


@nox.session(python=PYTHONS)
def bare(session: nox.Session) -> None:
    """The wheel with nothing optional: it imports, works, and says what is missing."""
    session.install(".", "pytest>=9", "trio>=0.31", "hypothesis>=6.140")
    session.run("pytest", "tests/bare", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite on the wheel with everything; on several Pythons, shared out among them."""
    newest = session.python == NEWEST
    needed = ("test", "benchmarks") if newest else ("test",)
    session.install(f".[{EXTRAS}]", *groups(*needed))
    # Twice as many as cores, since half of the time is waiting: for programs that start, and for
    # Redis in real time. One after the other, three Pythons would take most of an hour.
    workers = str(2 * (os.cpu_count() or 1))
    common = ["pytest", "--dist", "worksteal", "-n", workers, *session.posargs]
    part = ["-k", part_of(str(session.python))] if len(HERE) > 1 else []
    measured = ["--cov", "--cov-report=term"] if newest else []
    session.run(*common, "-m", "not benchmark and not harness", *part, *measured)
    if newest:
        # 5: there is none among the paths given.
        session.run(*common, "-m", "benchmark or harness", success_codes=[0, 5])


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The site, into `site/`: no network is needed; a warning or a broken link is an error."""
    # From the source tree, which is where the site reads docstrings.
    session.install("-e", f".[{EXTRAS}]", *groups("docs", "test"))
    session.run("python", "docs/build_site.py")
    session.run("pytest", "tests/test_site_search.py")


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """sdist and wheel, into `dist/`: built twice alike, shown well by PyPI, and working."""
    session.install(*groups("release"))
    again = Path(session.create_tmp()).resolve() / "again"
    example = str(Path("examples/quickstart.py").resolve())
    for directory in (Path("dist"), again):
        shutil.rmtree(directory, ignore_errors=True)
        session.run(
            "python", "-m", "build", "--installer", "uv", "--outdir", str(directory), silent=True
        )
    files = sorted(map(str, Path("dist").iterdir()))
    session.run("twine", "check", "--strict", *files)
    session.run("python", "-m", "tests.release_check", "dist", str(again))
    for file in files:
        session.run("python", "-m", "venv", "--clear", str(again / "venv"))
        programs = again / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python = str(programs / "python")
        session.run(python, "-m", "pip", "install", "-q", f"{file}[cli,emulator]", external=True)
        # Not from here: the source tree must not stand in for what was installed.
        with session.chdir(again):
            session.run(str(programs / "talkjs-async"), "--version", external=True)
            session.run(python, example, external=True)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """
    Mutation tests of the modules that keep promises: what survives is a line that no test needs.

    All of it takes hours; `nox -s mutants -- "talkjs_async.limits._level*"` takes one module.
    """
    session.install(f".[{EXTRAS}]", *groups("test"), "mutmut>=3.8")
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")


@nox.session(default=False)
def harnesses(session: nox.Session) -> None:
    """The long forms of what the tests do in short: all scripts, all injections, more examples."""
    session.install(f".[{EXTRAS}]", *groups("test"))
    session.run(
        "pytest",
        "tests/batch/test_scripts.py",
        "tests/test_injections.py",
        "tests/limits/test_estimates.py",
        "tests/redis/test_protocol.py",
        *session.posargs,
        env={"TALKJS_HARNESSES": "long"},
    )
    session.run("python", "-m", "tests.hostile", "--long")
    session.run("python", "-m", "tests.pairwise", "--long", "-n", "auto")
    session.run("python", "-m", "tests.bulk", "--long")


@nox.session(default=False)
def live(session: nox.Session) -> None:
    """
    Ask TalkJS itself, in a test project of our own, and write what was seen into the ledger.

    `nox -s live -- --base-url http://127.0.0.1:8421 --ledger FILE` asks another one.
    """
    session.install("-e", f".[{EXTRAS}]", *groups("test"))
    session.run("python", "-m", "tests.contracts.live", *session.posargs)


@nox.session(default=False)
def speed(session: nox.Session) -> None:
    """The table of speed and footprint, with all rivals; some 20 minutes on a quiet machine."""
    session.install(".", *groups("benchmarks"))
    session.run("python", "-m", "benchmarks", "speed", *session.posargs, success_codes=[0, 1])
