"""The container's files start the emulator as it is."""

import json
import re
from pathlib import Path

import yaml

from talkjs_async.emulator.__main__ import parser_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "emulator"


def of_dockerfile(instruction: str) -> list[str]:
    """Return what an instruction in JSON form says, its indentation included."""
    found = re.search(rf"^{instruction} (\[.*\])$", text(), re.MULTILINE)
    assert found is not None
    words: list[str] = json.loads(found[1])
    return words


def text() -> str:
    return (EXAMPLE / "Dockerfile").read_text()


def test_the_container_starts_what_there_is_to_start() -> None:
    python, dash_m, module, *options = of_dockerfile("ENTRYPOINT")

    parsed = parser_for("emulator").parse_args([*options, *of_dockerfile("CMD")])

    assert ("python", "-m", "talkjs_async.emulator") == (python, dash_m, module)
    assert ("0.0.0.0", 8421, ["talkjs"]) == (parsed.host, parsed.port, parsed.allow_host)
    assert re.search(r"^USER \d+$", text(), re.MULTILINE)
    assert f"EXPOSE {parsed.port}\n" in text()


def test_its_health_is_asked_where_it_listens() -> None:
    python, dash_c, program = of_dockerfile("    CMD")

    assert ("python", "-c") == (python, dash_c)
    compile(program, "HEALTHCHECK", "exec")
    assert "http://127.0.0.1:8421/_emulator/v1/" in program


def test_the_compose_file_s_options_are_known() -> None:
    services = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]
    talkjs, app = services["talkjs"], services["app"]

    parsed = parser_for("emulator").parse_args(talkjs["command"])

    assert ["talkjs"] == parsed.allow_host
    assert [("http://app:8000/webhooks/talkjs", ["message.sent"])] == parsed.webhook
    assert "http://talkjs:8421" == app["environment"]["TALKJS_BASE_URL"]
    assert (
        parser_for("emulator").get_default("secret_key") == app["environment"]["TALKJS_SECRET_KEY"]
    )
