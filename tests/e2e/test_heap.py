"""A request costs no allocation in our own code."""

import struct

from harness.fastcgi import Responder, request
from harness.load import accept
from harness.preload import preload
from harness.settings import BUILD
from harness.strategies import every_strategy

ROUNDS = 50
AT_ONCE = 20


class Heap:
    """The allocations of a program, without those of its libraries."""

    def __init__(self, sandbox):
        self.path = sandbox.folder / "heap"
        self.path.write_bytes(bytes(8))

    @property
    def environment(self):
        return {**preload(BUILD / "tests" / "preload" / "heap.so"),
                "HEAP_COUNT_FILE": self.path}

    def count(self):
        return struct.unpack("Q", self.path.read_bytes())[0]


def ask_at_once(responder, targets):
    """Sends all requests before the first answer is read."""
    peers = [responder.peer() for _ in targets]
    for peer, target in zip(peers, targets):
        peer.send(request(target))
    answers = [peer.read_to_end() for peer in peers]
    for peer in peers:
        peer.close()
    assert all(answers)


def ask_of_all_kinds(responder, number):
    """New and known ids, requests with an endpoint, refused requests."""
    ask_at_once(responder, [
        accept(number + n // 2, "http://example.org/x?y" if n % 5 == 0 else
               None) for n in range(AT_ONCE)])
    ask_at_once(responder, ["/api/verve/accept?id=x", "/api/verve/accept",
                            "/healthz", "/readyz", "/nothing"])


@every_strategy
def test_a_request_allocates_nothing(sandbox, redis):
    heap = Heap(sandbox)
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
                          **heap.environment).start()
    ask_of_all_kinds(responder, 0)
    before = heap.count()
    assert before > 5  # tables and buffers of the start: counting works
    for number in range(1, ROUNDS):
        ask_of_all_kinds(responder, number * AT_ONCE)
    # A buffer may have grown for a batch that was larger than all before.
    assert heap.count() - before < ROUNDS // 5
