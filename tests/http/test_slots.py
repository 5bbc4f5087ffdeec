"""Connections are lent fairly, survive whatever happens to a call, and leave nothing open."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
import trio
from anyio.abc import TaskGroup
from anyio.lowlevel import current_token
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talkjs_async._http.connection import ConnectionRoute
from talkjs_async._http.connections import Connections, connections_for
from talkjs_async._http.engine import Engine
from talkjs_async._http.gate import Gate
from talkjs_async._http.semaphore import Semaphore
from talkjs_async._http.slots import Slots
from talkjs_async.errors import ConfigurationError
from tests.http.conftest import Connect
from tests.http.server import Server

pytestmark = pytest.mark.anyio


async def get(connections: Connections, url: str) -> int:
    """Send one GET and return the status."""
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), 60.0)
    async with connections.borrow() as client:
        request = connections.engine.Request("GET", url, extensions={"timeout": timeouts})
        return (await client.send(request)).status_code


async def start_one_after_the_other(
    tasks: TaskGroup, count: int, work: Callable[[int], Coroutine[Any, Any, None]]
) -> None:
    """Start tasks so that each waits before the next begins; trio starts them in any order."""
    for number in range(count):
        tasks.start_soon(work, number)
        await anyio.wait_all_tasks_blocked()


class Event(Enum):
    """What can happen to a queue."""

    ARRIVE = auto()
    LEAVE = auto()
    LOSE_PATIENCE = auto()


@asynccontextmanager
async def give_up_after(seconds: float) -> AsyncGenerator[None]:
    """Cancel what is inside as users of each event loop do; asyncio's way is the rougher one."""
    if current_token().backend_class.__module__.endswith("trio"):
        with trio.move_on_after(seconds):
            yield
    else:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                yield


class TestChurn:
    async def test_all_calls_succeed_after_600_that_were_cancelled_at_random(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        chance = Random(20261122)
        connections = connect(engine, size=10)

        async def be_impatient() -> None:
            for _ in range(25):
                async with give_up_after(chance.uniform(0, 0.06)):
                    await get(connections, f"{server.url}/after/20")

        async with anyio.create_task_group() as tasks:
            for _ in range(24):
                tasks.start_soon(be_impatient)
        with anyio.fail_after(60):
            statuses = [await get(connections, f"{server.url}/ok") for _ in range(10)]

        assert [200] * 10 == statuses
        assert server.open <= 10

    @pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
    async def test_a_churn_leaves_no_descriptor_open(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        chance = Random(7)
        connections = connect(engine, size=5)
        await get(connections, f"{server.url}/ok")
        await server.until(lambda: server.open == 1)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

        async def be_impatient() -> None:
            for _ in range(10):
                with anyio.move_on_after(chance.uniform(0, 0.02)):
                    await get(connections, f"{server.url}/after/10")

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(be_impatient)
        await connections.aclose()
        await server.until(lambda: server.open == 0)

        # The one connection of *before* had two ends in this process.
        assert before - 2 == len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def test_a_cold_burst_of_600_calls_succeeds(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine, size=20)
        statuses: list[int] = []

        async def call() -> None:
            statuses.append(await get(connections, f"{server.url}/ok"))

        async with anyio.create_task_group() as tasks:
            for _ in range(600):
                tasks.start_soon(call)

        assert [200] * 600 == statuses
        assert 20 == server.accepted


class TestOneConnection:
    async def test_calls_that_follow_each_other_share_a_connection(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine)

        for _ in range(5):
            await get(connections, f"{server.url}/ok")

        assert 1 == server.accepted

    async def test_a_cancelled_exchange_costs_its_connection_and_nothing_else(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine, size=1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get, connections, f"{server.url}/hold")
            await server.until(lambda: server.targets == ["/hold"])
            tasks.cancel_scope.cancel()
        await server.until(lambda: server.open == 0)

        assert 200 == await get(connections, f"{server.url}/ok")
        assert 2 == server.accepted

    async def test_a_call_cancelled_in_the_tls_handshake_closes_its_socket(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine, tls=True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get, connections, f"https://127.0.0.1:{server.port}/ok")
            await server.until(lambda: server.open == 1)
            tasks.cancel_scope.cancel()
        await server.until(lambda: server.open == 0)

        assert 1 == server.accepted

    async def test_a_broken_exchange_costs_its_connection_and_nothing_else(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine, size=1)

        with pytest.raises(connections_error(connections)):
            await get(connections, f"{server.url}/drop")

        assert 200 == await get(connections, f"{server.url}/ok")

    async def test_a_connection_that_the_server_closed_is_replaced(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine)
        await get(connections, f"{server.url}/ok")
        server.hang_up()
        await server.until(lambda: server.open == 0)

        status = await get(connections, f"{server.url}/ok")

        assert 200 == status
        assert 2 == server.accepted

    async def test_a_server_that_ends_connections_after_two_requests_is_served(
        self, connect: Connect, engine: str
    ) -> None:
        with Server(requests_per_connection=2) as server:
            connections = connect(engine)

            for number in range(1, 9):
                await get(connections, f"{server.url}/ok")
                if number % 2 == 0:
                    await server.until(lambda: server.open == 0)

            assert 4 == server.accepted

    async def test_connections_that_idle_too_long_are_closed_by_the_next_call(
        self, engine: str, server: Server
    ) -> None:
        time = 1000.0
        library = Engine(engine)
        connections = Connections(
            library,
            lambda: Slots(
                library, ConnectionRoute(tls=False, keepalive=30), size=40, now=lambda: time
            ),
            foreign=False,
        )
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(get, connections, f"{server.url}/hold")
            await server.until(lambda: len(server.seen) == 3)
            server.release()

        time += 31
        await get(connections, f"{server.url}/ok")

        await server.until(lambda: server.open == 1)
        assert 3 == server.accepted
        await connections.aclose()


class TestQueue:
    async def test_calls_go_out_in_the_order_in_which_they_came(
        self, connect: Connect, server: Server
    ) -> None:
        connections = connect("httpx", size=1)

        async def call(number: int) -> None:
            await get(
                connections, f"{server.url}/hold?{number}" if number else server.url + "/hold"
            )

        async with anyio.create_task_group() as tasks:
            await start_one_after_the_other(tasks, 6, call)
            server.release()

        assert ["/hold", "/hold?1", "/hold?2", "/hold?3", "/hold?4", "/hold?5"] == server.targets

    async def test_a_free_place_is_taken_without_a_task_switch(self) -> None:
        places = Semaphore(1)
        steps: list[str] = []

        async def other() -> None:
            steps.append("other task")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await places.take()
            steps.append("taken")

        assert ["taken", "other task"] == steps

    async def test_a_cancelled_waiter_leaves_the_queue(self) -> None:
        places = Semaphore(1)
        await places.take()
        with anyio.move_on_after(0):
            await places.take()

        places.give_back()

        assert places.all_free

    async def test_a_place_granted_to_a_call_that_is_cancelled_goes_to_the_next(self) -> None:
        places = Semaphore(1)
        await places.take()
        first = anyio.CancelScope()
        arrived: set[int] = set()

        async def wait(number: int) -> None:
            with first if number == 0 else anyio.CancelScope():
                await places.take()
                arrived.add(number)
                places.give_back()

        async with anyio.create_task_group() as tasks:
            await start_one_after_the_other(tasks, 2, wait)
            places.give_back()
            first.cancel()

        # asyncio may let the first one pass, which has its place already.
        assert 1 in arrived
        assert places.all_free

    @given(count=st.integers(1, 3), events=st.lists(st.sampled_from(Event), max_size=15))
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    async def test_places_go_to_who_waits_longest_whatever_happens(
        self, count: int, events: list[Event]
    ) -> None:
        places = Semaphore(count)
        scopes: list[anyio.CancelScope] = []
        arrived: list[int] = []
        waiting: list[int] = []
        expected: list[int] = []
        free = count

        async def wait(number: int) -> None:
            with scopes[number]:
                await places.take()
                arrived.append(number)

        async with anyio.create_task_group() as tasks:
            for event in events:
                if event is Event.ARRIVE:
                    waiting.append(len(scopes))
                    scopes.append(anyio.CancelScope())
                    tasks.start_soon(wait, waiting[-1])
                elif event is Event.LEAVE and free < count:
                    places.give_back()
                    free += 1
                elif event is Event.LOSE_PATIENCE and waiting:
                    scopes[waiting.pop(len(waiting) // 2)].cancel()
                while free and waiting:
                    expected.append(waiting.pop(0))
                    free -= 1
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

        assert expected == arrived
        assert places.all_free is (free == count)


class TestClosing:
    async def test_closing_refuses_who_waits_and_lets_who_travels_arrive(
        self, connect: Connect, engine: str, server: Server
    ) -> None:
        connections = connect(engine, size=1)
        ends: dict[int, object] = {}

        async def call(number: int) -> None:
            try:
                ends[number] = await get(connections, f"{server.url}/hold")
            except ConfigurationError as error:
                ends[number] = error.argument

        async with anyio.create_task_group() as tasks:
            await start_one_after_the_other(tasks, 3, call)
            await server.until(lambda: len(server.seen) == 1)
            await connections.aclose()
            await anyio.wait_all_tasks_blocked()
            server.release()
        await server.until(lambda: server.open == 0)

        assert {0: 200, 1: "client", 2: "client"} == ends

    async def test_a_closed_one_refuses_every_call(self, connect: Connect, server: Server) -> None:
        connections = connect("httpx")
        await get(connections, f"{server.url}/ok")

        await connections.aclose()
        await connections.aclose()

        with pytest.raises(ConfigurationError, match="is closed"):
            await get(connections, f"{server.url}/ok")
        await server.until(lambda: server.open == 0)

    async def test_one_that_was_never_used_can_be_closed(self, connect: Connect) -> None:
        connections = connect("httpx", tls=True)

        await connections.aclose()

        assert 0 == len(connections.pools)


class TestLoops:
    def test_one_object_serves_one_event_loop_after_the_other(
        self, engine: str, server: Server
    ) -> None:
        connections = connections_for(engine, tls=False, size=40)

        statuses = [
            anyio.run(get, connections, f"{server.url}/ok", backend=backend)
            for backend in ("asyncio", "trio", "asyncio", "trio")
        ]

        assert [200] * 4 == statuses
        assert 0 == len(connections.pools)
        anyio.run(server.until, lambda: server.open == 0)

    def test_it_can_be_closed_in_one_event_loop_and_used_in_the_next(
        self, engine: str, server: Server
    ) -> None:
        connections = connections_for(engine, tls=False, size=40)

        async def use_and_close() -> int:
            status = await get(connections, f"{server.url}/ok")
            await connections.aclose()
            return status

        assert 200 == anyio.run(use_and_close)
        assert 200 == anyio.run(use_and_close)

    def test_threads_with_event_loops_of_their_own_may_share_it(
        self, engine: str, server: Server
    ) -> None:
        connections = connections_for(engine, tls=False, size=40)
        statuses: list[int] = []

        async def call_ten_times() -> None:
            statuses.extend([await get(connections, f"{server.url}/ok") for _ in range(10)])

        threads = [
            threading.Thread(target=anyio.run, args=(call_ten_times,), kwargs={"backend": backend})
            for backend in ("asyncio", "trio", "asyncio", "trio")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [200] * 40 == statuses
        assert 4 == server.accepted


class TestGate:
    async def test_an_injected_client_is_used_as_it_is_and_stays_open(
        self, connect: Connect
    ) -> None:
        mine = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(207)))
        connections = connect(None, http_client=mine)

        status = await get(connections, "http://any/")
        await connections.aclose()

        assert 207 == status
        assert "httpx" == connections.engine.name
        assert not mine.is_closed
        await mine.aclose()

    async def test_an_injected_client_of_httpx2_is_recognised(self, connect: Connect) -> None:
        mine = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(207)))
        connections = connect(None, http_client=mine)

        status = await get(connections, "http://any/")

        assert 207 == status
        assert "httpx2" == connections.engine.name
        await mine.aclose()

    async def test_an_injected_client_that_is_closed_is_a_mistake_in_the_settings(
        self, connect: Connect
    ) -> None:
        mine = httpx.AsyncClient()
        connections = connect("httpx", http_client=mine)
        await mine.aclose()

        with pytest.raises(ConfigurationError, match="http_client"):
            await get(connections, "http://any/")

    async def test_no_more_calls_than_places_are_in_flight(self, connect: Connect) -> None:
        in_flight = most = 0

        async def answer(_: httpx.Request) -> httpx.Response:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            await anyio.lowlevel.checkpoint()
            in_flight -= 1
            return httpx.Response(200)

        connections = connect("httpx", transport=httpx.MockTransport(answer), size=3)

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(get, connections, "http://any/")

        assert 3 == most

    async def test_a_given_transport_is_closed_once_the_last_call_has_ended(self) -> None:
        transport = Closing()
        client = httpx.AsyncClient(transport=transport)
        gate = Gate(client, owned=True, size=2)

        lent = await gate.take()
        await gate.aclose()
        closed_early = transport.closed
        await gate.give_back(lent, intact=True)

        assert (False, True) == (closed_early, transport.closed)

    async def test_a_transport_that_serves_both_libraries_follows_the_engine(
        self, connect: Connect
    ) -> None:
        transport = Closing()

        connections = connect("httpx2", transport=transport)

        assert "httpx2" == connections.engine.name

    async def test_a_client_and_a_transport_together_are_refused(self, connect: Connect) -> None:
        transport = Closing()
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(ConfigurationError, match="transport: give either"):
                connect("httpx", http_client=client, transport=transport)


class Closing(httpx.AsyncBaseTransport):
    """Remembers that it was closed."""

    closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, request=request)

    async def aclose(self) -> None:
        self.closed = True


def connections_error(connections: Connections) -> tuple[type[Exception], ...]:
    """The errors of a library that its first loan has yet to load."""
    connections.engine.load()
    return connections.engine.exceptions
