"""Attacks on callbacks. Each is a class: `prepare` runs before the reporter
starts, `begin` as the healthy traffic starts, `end` once it is over, and says
what else was seen. `healthy` is the URL of the healthy callback n, and
`arrivals` are those that came."""

import json
import socket
import time
from pathlib import Path

from harness.listener import Listener
from harness.mounts import is_possible
from harness.queue import DUE
from harness.receiver import Answer
from harness.resolver import Resolver
from harness.wait import wait_until

from .stage import BARRIER_S, GRACE_S, Stage


def faketime():
    """libfaketime; None if it is not installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class Attack:
    """Nothing is attacked."""

    name = "none"
    times_longer = 1
    may_refuse = False  # healthy requests, with 503
    may_lag = False  # reports, after the death of who writes them
    settings = {}
    redis = {}
    names = None  # {name: addresses}, for a name server of its own

    def __init__(self, build, seconds, scale):
        self.seconds = int(seconds * self.times_longer)
        self.scale = scale
        self.stage = Stage(build, self.settings, self.redis)
        self.well = self.stage.destinations("well")
        self.streams = {}
        self.wrong = False  # what `end` sees is not as it should be

    @classmethod
    def missing(cls):
        """Why it can't be run here; None if it can."""
        if cls.names is not None and not is_possible():
            return "its name server needs root, to mount a resolv.conf"
        return None

    def scaled(self, count):
        return max(1, int(count * self.scale))

    def prepare(self):
        pass

    def begin(self):
        pass

    def end(self):
        return ""

    def healthy(self, number):
        return self.well.url(number)

    def arrivals(self):
        return self.well.rows()

    def run(self):
        """The measured result."""
        stage = self.stage
        self.prepare()
        stage.reporter.start()
        began_s = time.time()
        self.streams["healthy"] = stage.stream(self.healthy, self.seconds)
        self.begin()
        for stream in self.streams.values():
            stream.join()
        time.sleep(GRACE_S)
        result = {"note": self.end(),
                  "report_lag_s": stage.report_lag_s(began_s + BARRIER_S),
                  **self.streams["healthy"].delivery(self.arrivals())}
        result["may_lag"] = self.may_lag
        result["wrong"] = self.wrong or (result["refused"] > 0 and
                                         not self.may_refuse)
        return result

    def close(self):
        self.stage.close()


class HangingHosts(Attack):
    """10,000 endpoints on distinct hosts that accept and never answer."""

    name = "10,000 hosts that hang"

    def begin(self):
        hung = self.stage.destinations("hung", hung=1, spread=True)
        self.stage.queue(hung.spread_url(number)
                         for number in range(self.scaled(10000)))


class HangingFlow(Attack):
    """26 new hosts a second that accept and never answer. With the default
    delays their attempts add up to all slots over hours; here, in 47 s."""

    name = "26 new hanging hosts/s"
    settings = {"VERVE_CALLBACKS_RETRY_DELAYS_S": ",".join(["1"] * 20)}
    times_longer = 2

    def begin(self):
        hung = self.stage.destinations("hung", hung=1, spread=True)
        self.stage.queue((hung.spread_url(number)
                          for number in range(26 * self.seconds)), rate=26)


class OneAddress(Attack):
    """3,000 destinations on one address, which accept and never answer."""

    name = "3,000 hanging destinations, one address"

    def begin(self):
        count = self.scaled(3000)
        hung = self.stage.destinations("hung", ports=count, hung=count)
        before = self.stage.descriptors()
        self.stage.queue(hung.url(number) for number in range(count))
        self.peak = 0
        while any(stream.is_alive() for stream in self.streams.values()):
            self.peak = max(self.peak, self.stage.descriptors() - before)
            time.sleep(0.2)

    def end(self):
        self.wrong = self.peak > 80
        return f"{self.peak} connections at once"


class Named(Attack):
    """With a name server of its own."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.resolver = Resolver(self.stage.sandbox, {
            "well.test": ["127.0.0.1"], **self.names})
        self.stage.set_up(self.resolver.mounts())

    def by_name(self, name, number):
        return self.well.url(number).replace("127.0.0.1", name)


class SilentNames(Named):
    """2,000 names whose name server is silent; known and new names beside."""

    name = "2,000 silent names: known names"
    names = {f"n{number}.silent.test": None for number in range(2000)}
    NEW = 10**6  # the first number of a new name

    def healthy(self, number):
        return self.by_name("well.test", number)

    def begin(self):
        self.resolver.names.update(
            (f"n{number}.new.test", ["127.0.0.1"])
            for number in range(4 * self.seconds))
        self.streams["new"] = self.stage.stream(
            lambda number: self.by_name(f"n{number}.new.test",
                                        self.NEW + number),
            self.seconds, rate=4, first_id=10**13)
        self.stage.queue(f"http://{name}/" for name in self.names)

    def end(self):
        new = self.streams["new"].delivery([
            (number - self.NEW, at) for number, at in self.arrivals()
            if number >= self.NEW])
        late = new["p99_s"]
        self.wrong = late is None or late > 2 or new["undelivered"] > 0
        return (f"new names: {new['undelivered']} of {new['sent']} "
                "undelivered, p99 "
                + ("never" if late is None else f"{late:.1f} s"))


class Shared(Attack):
    """The healthy callbacks go to the attacked host, by other paths."""

    answers = ()  # of the path /attacked
    times = 1  # how often it is called
    rate = None

    def prepare(self):
        self.shared = self.stage.scripted()
        self.shared.respond("/attacked", *self.answers)

    def begin(self):
        self.stage.queue([self.shared.url("/attacked")] * self.times,
                         rate=self.rate)

    def healthy(self, number):
        return self.shared.url(f"/{number}")

    def arrivals(self):
        return [(int(request.path[1:]), request.time)
                for request in list(self.shared.received)
                if request.path[1:].isdigit()]

    def end(self):
        return f"/attacked: {len(self.shared.at('/attacked'))} attempts"


class RetryAfter(Shared):
    """One 503 with Retry-After: 3600 on one path of a shared host."""

    name = "one 503, Retry-After: 3600, on a path"
    answers = (Answer(503, {"Retry-After": "3600"}),)


class Breaker(Shared):
    """One path of a shared host answers 500: as often as opens a circuit
    breaker although healthy answers come between, then once a second, so that
    its probes are the attacker's."""

    name = "500 on one path, 30 at once, then 1/s"
    answers = (Answer(500),)

    def begin(self):
        self.times = 30
        super().begin()
        time.sleep(1)
        self.times, self.rate = self.seconds, 1
        super().begin()


class Hinted(Answer):
    """An interim answer before its own."""

    def head(self):
        return (b"HTTP/1.1 103 Early Hints\r\nRetry-After: 3600\r\n\r\n"
                + super().head())


class EarlyHints(Shared):
    """A 103 with Retry-After before a 500 on one path of a shared host."""

    name = "103 with Retry-After before a 500"
    answers = (Hinted(500),)


class OpenBody(Shared):
    """A 2xx whose body never ends."""

    name = "200 whose body stays open"
    answers = (Answer(200, {"Content-Length": "10"}),)
    times = 20

    def end(self):
        seen = len(self.shared.at("/attacked"))
        self.wrong = seen != self.times
        return attempts_of(self.stage, f":{self.shared.port}", "/attacked",
                           seen, self.times)


class CutBody(Attack):
    """A 2xx whose body is cut."""

    name = "200 whose body is cut"
    times = 20

    def begin(self):
        self.seen = 0
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        Listener(self.stage.sandbox, listener, self.serve)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/cut"
        self.stage.queue([url] * self.times)

    def serve(self, connection):
        with connection:
            if connection.recv(65536):
                self.seen += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10"
                                   b"\r\n\r\nabc")

    def end(self):
        self.wrong = self.seen != self.times
        return attempts_of(self.stage, "", "/cut", self.seen, self.times)


def attempts_of(stage, host, what, seen, jobs):
    """Of jobs whose answer is a 200: how often they were sent, and what the
    log says of the attempts that were no success."""
    words = sorted({f"status={line['status']} error={line['error']}"
                    for line in stage.attempts()
                    if host in line["host"] and line["error"] != "-"})
    return (f"{what}: {jobs} callbacks sent {seen} times; "
            f"failures logged: {', '.join(words) or 'none'}")


class Flood(Attack):
    """300,000 jobs for one host that hangs, queued before the others."""

    name = "300,000 jobs for one hanging host"

    def prepare(self):
        hung = self.stage.destinations("hung", hung=1)
        self.stage.send("-e", "100%", "-E", hung.url(0), "-n",
                        self.scaled(300000))


class FullRedis(Attack):
    """Endpoints of 2 KB for a host that hangs, with a Redis of 64 MB."""

    name = "endpoints of 2 KB, Redis 64 MB"
    redis = {"maxmemory": "64mb"}
    may_refuse = True  # endpoints; plain ids must be counted

    def begin(self):
        hung = self.stage.destinations("hung", hung=1)
        url = hung.url(0) + "?" + "x" * 1900
        self.streams["plain"] = self.stage.stream(None, self.seconds,
                                                  first_id=10**14)
        self.stage.send("-e", "100%", "-E", url, "-n", self.scaled(60000))

    def end(self):
        plain = self.streams["plain"]
        wrong = plain.count - plain.answers[200]
        self.wrong = wrong > 0
        return f"plain ids: {wrong} of {plain.count} not counted"


class MovingName(Named):
    """The healthy host's name moves to another address."""

    name = "a name that moves"
    times_longer = 3.5  # connections may be kept for 2 minutes
    names = {"moving.test": ["127.0.0.2"]}

    def prepare(self):
        self.shared = self.stage.scripted()

    def healthy(self, number):
        return self.shared.url(f"/{number}").replace("127.0.0.1",
                                                     "moving.test")

    def begin(self):
        time.sleep(self.seconds / 4)
        self.resolver.names["moving.test"] = ["127.0.0.3"]
        self.moved = time.time()

    def arrivals(self):
        return [(int(request.path[1:]), request.time)
                for request in list(self.shared.received)]

    def end(self):
        at = [request.time for request in list(self.shared.received)
              if request.address == "127.0.0.3"]
        self.wrong = not at
        if not at:
            return f"not followed in {time.time() - self.moved:.0f} s"
        return f"followed after {min(at) - self.moved:.0f} s"


class ManyHosts(Attack):
    """18,000 hosts that answer well."""

    name = "18,000 hosts that answer well"

    def begin(self):
        well = self.stage.destinations("many", spread=True)
        self.stage.queue(well.spread_url(number)
                         for number in range(self.scaled(18000)))
        self.many = well

    def end(self):
        kept = self.stage.descriptors()
        cpu_s = self.stage.cpu_s()
        arrived = len(self.many.rows())
        self.wrong = kept > 2300 or arrived < self.scaled(18000)
        return (f"{arrived} delivered; {kept} descriptors kept; "
                f"{cpu_s / max(arrived, 1) * 1e6:.0f} us of CPU each")


class WrongClock(Shared):
    """The reporter's clock is 10 minutes fast."""

    name = "reporter's clock 10 minutes fast"

    @classmethod
    def missing(cls):
        return None if faketime() else "there is no libfaketime"

    def begin(self):
        pass

    def prepare(self):
        super().prepare()
        self.stage.set_up({}, ["env", f"LD_PRELOAD={faketime()}",
                               "FAKETIME=+600s",
                               "FAKETIME_DONT_FAKE_MONOTONIC=1"])

    def run(self):
        result = super().run()
        # By the same clock, which is not its fault.
        if result["report_lag_s"] is not None:
            result["report_lag_s"] -= 600
        return result

    def end(self):
        off = max((abs(int(request.headers["webhook-timestamp"])
                       - request.time)
                   for request in list(self.shared.received)), default=0)
        self.wrong = off > 5
        return f"webhook-timestamp is off by up to {off:.0f} s"


class Kills(Attack):
    """The reporter is killed four times while jobs wait for a slow host."""

    name = "kills of the reporter"
    may_lag = True
    settings = {"VERVE_CALLBACKS_LEASE_S": 10}

    def begin(self):
        self.hung = self.stage.destinations("hung", hung=1)
        self.stage.queue(self.hung.url(number)
                         for number in range(self.scaled(2000)))
        for _ in range(4):
            time.sleep(max(1, self.seconds / 6))
            self.stage.reporter.kill()
            wait_until(lambda: not self.stage.pids(), "all are dead")
            self.stage.reporter.start()

    def end(self):
        time.sleep(11)  # until leases have run out
        sent = {number for number, _ in self.hung.rows()}
        lost = 0
        for member in self.stage.redis("ZRANGE", DUE, 0, -1):
            _, attempts, text = member.split(" ", 2)
            url = json.loads(text)["url"]
            if int(attempts) > 0 and int(url.rpartition("/")[2]) not in sent:
                lost += 1
        self.wrong = lost > 0
        return f"{lost} jobs that were never sent have lost an attempt"


ATTACKS = [Attack, HangingHosts, HangingFlow, OneAddress, SilentNames,
           RetryAfter, Breaker, Flood, FullRedis, OpenBody, CutBody,
           EarlyHints, MovingName, ManyHosts, WrongClock, Kills]
