"""Clients that ask, and note what they were answered."""

import itertools
import random
import threading
import time
from collections import deque

from facts import Ask
from harness.load import accept
from harness.records import epoch

PATIENCE_S = 5.0
FAILURES = (OSError, AssertionError, ValueError, IndexError, TypeError)
RECENT = 300       # ids that may be asked again
AGAIN = 0.5        # how often an id is one of those
STUBBORN = 0.7     # how often a failed request is repeated


class Clients:
    """Threads that ask until they are told to end. hold() makes them wait."""

    def __init__(self, facts, ask, plan, receiver):
        """ask(target, seconds) returns a response."""
        self.facts = facts
        self.ask = ask
        self.receiver = receiver
        self.endpoints = plan.endpoints
        self.pace_s = plan.pace_s
        self.numbers = itertools.count(1)
        self.callbacks = itertools.count(1)
        self.recent = deque(maxlen=RECENT)
        self.ended = False
        self.go = threading.Event()
        self.go.set()
        self.idle = threading.Semaphore(plan.clients)
        self.threads = [threading.Thread(
            target=self.run, args=(random.Random(f"{plan.seed} {i}"),),
            daemon=True) for i in range(plan.clients)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def hold(self):
        """Returns once no request is under way."""
        self.go.clear()
        for _ in self.threads:
            self.idle.acquire()

    def release(self):
        for _ in self.threads:
            self.idle.release()
        self.go.set()

    def stop(self):
        self.ended = True
        for thread in self.threads:
            thread.join()

    def run(self, rng):
        while not self.ended:
            self.go.wait()
            with self.idle:
                self.ask_one(rng, self.choose(rng))
            time.sleep(rng.uniform(*self.pace_s))

    def choose(self, rng):
        if self.recent and rng.random() < AGAIN:
            return rng.choice(self.recent)
        number = next(self.numbers)
        self.recent.append(number)
        return number

    def ask_one(self, rng, number):
        """Asks, and again if it fails, as clients do."""
        callback = None
        if rng.random() < self.endpoints:
            callback = next(self.callbacks)
        while not self.attempt(number, callback).ok and not self.ended and \
                self.go.is_set() and rng.random() < STUBBORN:
            time.sleep(rng.uniform(0.02, 0.2))

    def attempt(self, number, callback=None):
        endpoint = callback and self.receiver.url(f"/cb?{callback}")
        ask = Ask(number, callback, time.time())
        self.facts.add(ask)
        try:
            answer = self.ask(accept(number, endpoint), PATIENCE_S)
            status, body = answer.status, answer.body
            window = answer.headers.get("verve-window")
        except (*FAILURES, AttributeError):
            status, body, window = 0, b"", None
        ask.end = time.time()
        ask.status = status
        if status == 200 and body == b"ok" and window:
            ask.window = epoch(window)
        return ask
