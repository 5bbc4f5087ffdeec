"""What may go wrong in a simulated world. For tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.redis.protocol_world import World


def wiped(world: World) -> None:
    world.store.client.delete(*world.store.keys)


def evicted(world: World) -> None:
    world.store.evict()


def put_back(world: World) -> None:
    snapshot = world.store.save()
    world.run(6.0)
    world.store.load(snapshot)


def put_back_in_part(world: World) -> None:
    """The bucket, and not what the processes said of themselves."""
    [key, data, expiry] = world.store.save()[0]
    world.run(6.0)
    world.store.client.restore(key, expiry, data, replace=True)


def lacking(world: World) -> None:
    world.store.client.hdel(world.store.keys[0], "offset")


def written_over(world: World) -> None:
    world.store.client.hset(world.store.keys[0], "full_at", "nan")


def joined_by_rubbish(world: World) -> None:
    world.store.client.hset(world.store.keys[1], "member", "rubbish")


def down(world: World) -> None:
    world.store.up = False
    world.run(6.0)
    world.store.up = True


def down_and_put_back(world: World) -> None:
    snapshot = world.store.save()
    world.run(3.0)
    world.store.up = False
    world.run(4.0)
    world.store.load(snapshot)
    world.store.up = True


def restarted_at_once(world: World) -> None:
    snapshot = world.store.save()
    world.run(3.0)
    world.store.load(snapshot)
    world.store.up = False
    world.run(0.3)
    world.store.up = True


def set_forward(world: World) -> None:
    world.store.ahead += 3600.0


def set_forward_a_little(world: World) -> None:
    world.store.ahead += 1.5


def set_back(world: World) -> None:
    world.store.ahead -= 3600.0


def killed(world: World) -> None:
    world.kill(world.processes[0])


def joined(world: World) -> None:
    world.start()


def lost_again_and_again(world: World) -> None:
    for _ in range(20):
        world.store.evict()
        world.run(0.5)


def cut_off(world: World) -> None:
    """One of them, while the others are not."""
    world.processes[0].connected = False
    world.run(8.0)
    world.processes[0].connected = True


TROUBLES: Final[list[Callable[[World], None]]] = [
    *(wiped, evicted, lacking, written_over, joined_by_rubbish, put_back, put_back_in_part),
    *(down, down_and_put_back, restarted_at_once),
    *(set_forward, set_forward_a_little, set_back, killed, joined),
]
