"""Over TCP the same faults really break connections."""

import builtins
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, Limits, RealClock

KEY = {"authorization": "Bearer sk_test_emulator"}


@pytest.fixture
def served() -> Iterator[tuple[Emulator, httpx.Client]]:
    """An emulator on a port, and a client for it."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    with (
        emulator.serve() as server,
        httpx.Client(base_url=f"{server.base_url}/v1/emulator", headers=KEY, timeout=2) as client,
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
            b"GET /v1/emulator/users HTTP/1.1\r\nhost: x\r\n"
            b"authorization: Bearer sk_test_emulator\r\n\r\n"
        )
        while not emulator.requests:
            time.sleep(0.001)
        began = time.monotonic()

    with open_one:
        assert open_one.recv(100) == b""
    assert time.monotonic() - began < 1


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
