"""Over TCP the same faults really break connections."""

import asyncio
import builtins
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, Limits, RealClock
from talkjs_async.emulator._uvicorn import PROTOCOLS, UvicornConnection
from talkjs_async.emulator.asgi import AsgiApp
from talkjs_async.emulator.server import Server
from tests.emulator.inbox import Inbox

KEY = {"authorization": "Bearer sk_test_emulator"}


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.__name__)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Emulator, httpx.Client]]:
    """An emulator on a port, with all that may speak HTTP for it, and a client."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    app = AsgiApp(emulator, hosts=())
    with (
        Server(app, emulator.webhooks, host="127.0.0.1", port=0, protocol=request.param) as server,
        httpx.Client(base_url=f"{server.base_url}/v1/emulator", headers=KEY, timeout=60) as client,
    ):
        yield emulator, client


Served = tuple[Emulator, httpx.Client]


def test_it_answers_over_tcp(served: Served) -> None:
    emulator, client = served

    assert client.put("/users/a%2Fb", json={"name": "Alice"}).json() == {}
    answer = client.get("/users/a%2Fb")

    assert answer.json()["id"] == "a/b"
    assert "date" in answer.headers
    assert "server" not in answer.headers
    assert [200, 200] == [entry.status for entry in emulator.requests]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("refuse", httpx.ReadError),
        ("drop-before-commit", httpx.RemoteProtocolError),
        ("drop-after-commit", httpx.RemoteProtocolError),
        ("reset-before-commit", httpx.ReadError),
        ("reset-after-commit", httpx.ReadError),
        ("truncate-after-commit", httpx.RemoteProtocolError),
        ("garbage", httpx.RemoteProtocolError),
    ],
)
def test_a_fault_breaks_the_connection(served: Served, fault: str, error: type[Exception]) -> None:
    emulator, client = served
    emulator.faults.add(fault, first=1)

    with pytest.raises(error):
        client.put("/users/alice", json={"name": "Alice"})

    done = fault.endswith("after-commit") or fault == "garbage"
    assert len(emulator.commits) == done
    assert client.get("/users").status_code == 200


class Told(asyncio.Protocol):
    """Knows when its connection is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()


def test_a_connection_that_is_gone_already_can_be_reset() -> None:
    async def hang_up_twice() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.create_connection(Told, sock=ours)
            transport.abort()
            await protocol.gone.wait()

            UvicornConnection(transport).reset()

        assert -1 == ours.fileno()

    asyncio.run(hang_up_twice())


def test_a_stall_outlasts_the_read_timeout(served: Served) -> None:
    emulator, client = served
    emulator.faults.add("stall-after-commit", first=1)

    with pytest.raises(httpx.ReadTimeout):
        client.get("/users", timeout=0.1)

    assert client.get("/users").status_code == 200


def test_a_queue_holds_a_request(served: Served) -> None:
    emulator, client = served
    emulator.limits = Limits(rate=20, burst=1, queue=1)
    began = emulator.clock.monotonic()

    assert [200, 200] == [client.get("/users").status_code for _ in range(2)]

    assert emulator.clock.monotonic() - began >= 0.05


def test_threads_may_share_an_emulator_with_its_server(served: Served) -> None:
    emulator, client = served

    def put(thread: int) -> None:
        for number in range(20):
            client.put(f"/users/{thread}-{number}", json={"name": "N"})

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(emulator.commits) == 80
    assert [entry.number for entry in emulator.requests] == list(range(1, 81))


def test_large_bodies_arrive_in_pieces(served: Served) -> None:
    _, client = served
    name = "x" * 1_000_000

    assert client.put("/users/alice", json={"name": name}).status_code == 200
    assert client.get("/users/alice").json()["name"] == name


def test_an_open_connection_does_not_keep_the_server_alive() -> None:
    emulator = Emulator(clock=RealClock())
    emulator.faults.add("stall-before-commit")
    with emulator.serve() as server:
        host, port = server.base_url.removeprefix("http://").split(":")
        open_one = socket.create_connection((host, int(port)))
        open_one.sendall(
            b"GET /v1/emulator/users HTTP/1.1\r\nhost: localhost\r\n"
            b"authorization: Bearer sk_test_emulator\r\n\r\n"
        )
        while not emulator.requests:
            time.sleep(0.001)

    # The `with` has ended although the answer was never sent.
    with open_one:
        assert open_one.recv(100) == b""


def test_an_event_from_before_the_server_started_is_delivered() -> None:
    emulator, inbox = Emulator(clock=RealClock()), Inbox()
    emulator.webhooks.to(inbox)
    emulator.webhooks.trigger("user.created", {})

    with emulator.serve():
        deadline = time.monotonic() + 60
        while not emulator.webhooks.deliveries and time.monotonic() < deadline:
            time.sleep(0.001)

    assert ["user.created"] == [event["type"] for event in inbox.events]


def test_what_is_held_stays_held_when_the_server_starts() -> None:
    emulator, inbox = Emulator(clock=RealClock()), Inbox()
    emulator.webhooks.to(inbox)
    emulator.webhooks.held = True
    emulator.webhooks.trigger("user.created", {})

    with emulator.serve() as server:
        for _ in range(20):
            httpx.get(f"{server.base_url}/v1/emulator/users")

    assert 1 == emulator.webhooks.waiting
    assert [] == inbox.events


def test_a_port_that_is_taken_is_an_error_at_once(served: Served) -> None:
    _, client = served

    with pytest.raises(OSError, match="in use"):
        Emulator().serve(port=client.base_url.port or 0)


def test_it_listens_on_ipv6_as_well() -> None:
    if not socket.has_ipv6:
        pytest.skip("This machine has no IPv6.")
    try:
        server = Emulator(clock=RealClock()).serve(host="::1")
    except OSError:
        pytest.skip("This machine has no IPv6 loopback.")

    with server:
        assert server.base_url.startswith("http://[::1]:")
        assert httpx.get(f"{server.base_url}/v1/emulator/users").status_code == 401


def test_without_uvicorn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("uvicorn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "talkjs_async.emulator._uvicorn", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'talkjs-async\[emulator\]'"):
        Emulator().serve()


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.168.0.2"])
def test_a_host_that_is_not_this_machine_gets_nothing(served: Served, host: str) -> None:
    emulator, client = served

    for path in ("/v1/emulator/users", "/_emulator/", "/_emulator/v1/requests"):
        url = client.base_url.copy_with(raw_path=path.encode())
        answer = client.get(url, headers={"host": host})
        assert 403 == answer.status_code
        assert "--allow-host" in answer.text
    assert len(emulator.requests) == 0


def test_another_host_may_be_allowed() -> None:
    emulator = Emulator(clock=RealClock())
    with emulator.serve(allowed_hosts=["TalkJS"]) as server:
        url = f"{server.base_url}/v1/emulator/users"
        answers = [
            httpx.get(url, headers={**KEY, "host": host}).status_code
            for host in ("talkjs:80", "localhost", "other")
        ]

    assert [200, 200, 403] == answers


def test_people_who_look_for_the_page_find_it(served: Served) -> None:
    emulator, client = served

    for path in (b"/", b"/_emulator"):
        answer = client.get(client.base_url.copy_with(raw_path=path), follow_redirects=True)
        assert (200, "/_emulator/") == (answer.status_code, answer.url.path)
    icon = client.get(client.base_url.copy_with(raw_path=b"/favicon.ico"))
    assert icon.status_code == 404
    assert len(emulator.requests) == 0


@pytest.mark.parametrize("path", ["/v1/emulator/users/alice", "/_emulator/v1/reset"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_without_end_is_not_taken(served: Served, path: str, declared: bool) -> None:
    emulator, client = served
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1_400_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    headers = {"content-length": "1400000000"} if declared else {"transfer-encoding": "chunked"}
    url = client.base_url.copy_with(raw_path=path.encode())
    # Whether the answer arrives before the broken pipe does is a race.
    with contextlib.suppress(httpx.WriteError, httpx.ReadError):
        assert 413 == client.put(url, content=endless(), headers=headers).status_code

    assert sent < (20_000_000 if declared else 120_000_000)
    assert len(emulator.requests) == 0
    assert client.get("/users").status_code == 200


def test_a_receiver_that_never_answers_holds_up_no_other(served: Served) -> None:
    emulator, _ = served
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        emulator.webhooks.to(f"http://127.0.0.1:{port}/")
        received = threading.Semaphore(0)

        async def quick(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            received.release()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        emulator.webhooks.to(quick)
        began = time.monotonic()
        for _ in range(5):
            emulator.webhooks.trigger("user.created", {})
            assert received.acquire(timeout=4)

        assert time.monotonic() - began < emulator.webhooks.timeout
