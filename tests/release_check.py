"""
What PyPI would show of the files of a release: `python -m tests.release_check dist`.

Run by `nox -s release`. Ends with an error if the two builds differ, or if the page that PyPI makes
of the README has a link or a picture that leads nowhere there.
"""

from __future__ import annotations

import email
import hashlib
import re
import sys
import tarfile
import zipfile
from pathlib import Path

from readme_renderer import markdown


def digests(directory: Path) -> dict[str, str]:
    """The SHA-256 of each file by its name."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.iterdir())
        if file.suffix in {".whl", ".gz"}
    }


def descriptions(directory: Path) -> list[str]:
    """The description that each file brings along."""
    found = []
    for file in sorted(directory.iterdir()):
        if file.suffix == ".whl":
            with zipfile.ZipFile(file) as archive:
                (name,) = [each for each in archive.namelist() if each.endswith("/METADATA")]
                found.append(archive.read(name))
        elif file.suffix == ".gz":
            with tarfile.open(file) as archive:
                root = archive.getnames()[0].partition("/")[0]
                member = archive.extractfile(f"{root}/PKG-INFO")
                assert member is not None
                found.append(member.read())
    return [str(email.message_from_bytes(each).get_payload()) for each in found]


def main(first: str, second: str) -> int:
    """Check the files of two builds."""
    problems = []
    if digests(Path(first)) != digests(Path(second)):
        problems.append("two builds of the same sources differ")
    texts = descriptions(Path(first))
    if len(texts) != 2 or texts[0] != texts[1]:
        problems.append("sdist and wheel do not describe the project in the same way")
    for text in texts:
        shown = markdown.render(text)
        if not shown:
            problems.append("the README cannot be shown")
            continue
        problems += [
            f"the README leads to {link}, which is not there on PyPI"
            for link in re.findall(r'(?:href|src)="([^"]*)"', shown)
            if not link.startswith(("https://", "#"))
        ]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
