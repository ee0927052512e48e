"""Redis that fails over: the programs follow what the sentinels name."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.fastcgi import Responder
from harness.listener import Listener
from harness.load import accept
from harness.queue import DEAD, dead, put
from harness.reporter import Reporter
from harness.sentinel import MASTER, Node, Sentinel, SentinelGroup
from harness.wait import wait_until
from test_vervectl import Operator, job, names

SETTINGS = {"VERVE_WINDOW_SECONDS": 86400, "VERVE_REDIS_TIMEOUT_MS": 250}


@pytest.fixture
def group(sandbox):
    return SentinelGroup(sandbox).start()


def asks(responder, number=1):
    return responder.ask(accept(number)).status == 200


def test_failovers(sandbox, group):
    """A planned one, then a killed master."""
    responder = Responder(sandbox, group).start()
    wait_until(lambda: asks(responder), "counts")
    old = group.nodes[0]
    assert old.has_program()
    group.fail_over()
    new = group.wait_promoted(old)
    wait_until(new.has_program, "the program follows", 20.0)
    wait_until(lambda: not old.has_program(), "the old master is left")
    wait_until(lambda: asks(responder, 2), "counts at the new master")
    assert "the sentinels name another master" in responder.process.output()
    wait_until(old.follows, "the old master is a replica", 40.0)
    new.kill()
    other = group.wait_promoted(new)
    wait_until(lambda: asks(responder, 3), "counts at the third", 20.0)
    assert other.has_program()


def bulk(*words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def address(port, host=b"127.0.0.1"):
    return bulk(host, b"%d" % port)


class FalseSentinel:
    """Answers each question with the same bytes; b"": with nothing at all.
    check: what it says of its majority."""

    def __init__(self, sandbox, answer, host="127.0.0.1", check=None):
        self.answer = answer
        self.check = check
        self.asked = 0
        self.connections = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family)
        self.port = listener.getsockname()[1]
        Listener(sandbox, listener, self.run)

    def answer_to(self, data):
        checked = self.check and b"CKQUORUM" in data
        return self.check if checked else self.answer

    def run(self, connection):
        self.connections += 1
        with connection:
            connection.settimeout(60)
            try:
                while data := connection.recv(65536):
                    self.asked += 1
                    connection.sendall(self.answer_to(data))
            except OSError:
                pass


@pytest.fixture
def pair(sandbox):
    """A master and its replica."""
    nodes = [Node(sandbox, name).start() for name in ("master", "replica")]
    nodes[1]("REPLICAOF", "127.0.0.1", nodes[0].port)
    wait_until(nodes[1].follows, "the replica follows", 20.0)
    return nodes


class Named:
    """Redis as sentinels at these hosts and ports name it."""

    def __init__(self, *hosts, login=""):
        self.url = f"redis+sentinel://{login}{','.join(hosts)}/{MASTER}"

    def url_of(self, user):
        del user
        return self.url


def test_sentinels_that_lie_or_hang(sandbox, pair):
    """In turn, until one says the truth: by name or IPv6, or not at all."""
    master, replica = pair
    lies = {
        "no answer in time": b"",
        "it knows no master of this name": b"*-1\r\n",
        "it is no sentinel": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "unknown command": b"-ERR unknown command 'SENTINEL'\r\n",
        "names no address": address(65536),
        "or names no address": address(7, b"a host\x1b[2J"),
    }
    made = [FalseSentinel(sandbox, answer) for answer in lies.values()]
    made.append(FalseSentinel(sandbox, address(replica.port)))
    honest = FalseSentinel(sandbox, address(master.port), "::1")
    named = Named(*(f"localhost:{one.port}" for one in made),
                  f"[::1]:{honest.port}")
    responder = Responder(sandbox, named, VERVE_REDIS_TIMEOUT_MS=1000).start()
    wait_until(lambda: asks(responder), "counts", 30.0)
    assert all(one.asked == 1 for one in made)
    wait_until(lambda: honest.asked > 3, "asks on, the same sentinel", 30.0)
    assert all(one.asked == 1 for one in made)
    output = responder.process.output()
    assert "it is no master" in output  # the replica
    # The sentinel's sudden lies: the connection stays while nobody names
    # another master, and is left if somebody does.
    honest.answer = b"*-1\r\n"
    made[-1].answer = b"*-1\r\n"
    responder.process.wait_output("so that a failover would not be noticed")
    for words in lies:
        assert words in responder.process.output()
    assert "\x1b" not in responder.process.output()
    assert asks(responder, 2)


def test_a_master_that_is_named_late(sandbox, pair):
    """While a program pauses after its first attempt, in which no server was
    named. Several, as the length of the pause is random."""
    sentinel = FalseSentinel(sandbox, b"*-1\r\n")
    responder = Responder(sandbox, Named(f"127.0.0.1:{sentinel.port}"))
    responder.start(4)
    for process in responder.processes:
        process.wait_output("it knows no master of this name")
    sentinel.answer = address(pair[0].port)
    for process in responder.processes:
        process.wait_output(": ready")


def test_a_hanging_sentinel_delays_nobody(sandbox, pair):
    """While a question is not answered, requests are."""
    hung = FalseSentinel(sandbox, b"")
    honest = FalseSentinel(sandbox, address(pair[0].port))
    responder = Responder(
        sandbox, Named(f"127.0.0.1:{honest.port}", f"127.0.0.1:{hung.port}"),
        VERVE_REDIS_TIMEOUT_MS=3000).start()
    wait_until(lambda: asks(responder), "counts", 20.0)
    honest.answer = b""
    asked = honest.asked
    wait_until(lambda: honest.asked > asked, "a question is open")
    for number in range(100):
        started = time.monotonic()
        assert asks(responder, number)
        assert time.monotonic() - started < 2.5


@pytest.fixture
def masters(sandbox):
    """Two servers that are masters."""
    return [Node(sandbox, name).start() for name in ("one", "two")]


PATIENT_S = 20  # of a program that is not to wait for that long


def patient(sandbox, *sentinels):
    return Responder(
        sandbox, Named(*(f"127.0.0.1:{one.port}" for one in sentinels)),
        VERVE_REDIS_TIMEOUT_MS=PATIENT_S * 1000).start()


def test_a_request_does_not_wait_for_a_master_that_is_left(sandbox, masters):
    """It hangs while the script is under way; another one is named."""
    sentinel = FalseSentinel(sandbox, address(masters[0].port))
    responder = patient(sandbox, sentinel)
    wait_until(lambda: asks(responder), "counts")
    masters[0].freeze()
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(asks, responder, 2)
        time.sleep(0.1)  # the request is under way
        sentinel.answer = address(masters[1].port)
        assert not answer.result()
    wait_until(lambda: asks(responder, 3), "counts at the other")
    assert time.monotonic() - started < PATIENT_S / 2
    masters[0].thaw()


def test_an_attempt_ends_if_another_master_is_named(sandbox, masters):
    """The master that was named hangs in the handshake."""
    sentinel = FalseSentinel(sandbox, address(masters[0].port))
    masters[0].freeze()
    started = time.monotonic()

    def switch():
        wait_until(lambda: sentinel.asked > 1, "asks on meanwhile")
        sentinel.answer = address(masters[1].port)

    with ThreadPoolExecutor() as pool:
        switched = pool.submit(switch)
        responder = patient(sandbox, sentinel)
        switched.result()
    wait_until(masters[1].has_program, "at the other")
    assert time.monotonic() - started < PATIENT_S / 2
    assert asks(responder)
    masters[0].thaw()


def test_a_sentinel_that_is_cut_off_is_left(sandbox, masters):
    """It would go on to name the old master; its answer is taken if there is
    no better one."""
    cut_off = FalseSentinel(sandbox, address(masters[0].port),
                            check=b"-NOQUORUM 1 usable Sentinels\r\n")
    better = FalseSentinel(sandbox, address(masters[1].port),
                           check=b"+OK 2 usable Sentinels\r\n")
    responder = patient(sandbox, cut_off, better)
    wait_until(masters[1].has_program, "at the master of the majority")
    wait_until(lambda: better.asked > 6, "asks on")
    assert masters[1].has_program()
    better.check = cut_off.check
    better.answer = address(masters[0].port)
    wait_until(lambda: masters[0].has_program() and asks(responder),
               "at the one that is named")
    assert "so that a failover" not in responder.process.output()


def test_a_hanging_sentinel_is_asked_once_while_the_master_is_away(
        sandbox, masters):
    """A machine is gone, with its server and its sentinel."""
    masters[1].kill()
    hung = FalseSentinel(sandbox, b"")
    others = [FalseSentinel(sandbox, address(masters[1].port))
              for _ in range(2)]
    named = Named(*(f"127.0.0.1:{one.port}" for one in (hung, *others)))
    responder = Responder(sandbox, named).start()
    wait_until(lambda: all(one.connections > 3 for one in others),
               "asks both in turn", 9.0)  # until it is asked again
    assert hung.connections == 1
    for one in others:
        one.answer = address(masters[0].port)
    wait_until(lambda: asks(responder), "counts")


def test_passwords(sandbox, pair):
    """Sentinels have a login of their own."""
    for node in pair:
        node("CONFIG", "SET", "masterauth", "k1ng")
        node("CONFIG", "SET", "requirepass", "k1ng")
    login = f"""sentinel auth-pass {MASTER} k1ng
user default off
user admin on >k1ng +@all
user watcher on >qu33n -@all +auth +sentinel|get-master-addr-by-name
sentinel sentinel-user watcher
sentinel sentinel-pass qu33n"""
    sentinel = Sentinel(sandbox, "guarded", pair[0].port, login).start()
    named = Named(f"127.0.0.1:{sentinel.port}", login=":k1ng@")
    secret = sandbox.folder / "secret"
    secret.write_text("qu33n\n")
    wrong = Responder(sandbox, named, "wrong",
                      VERVE_REDIS_SENTINEL_PASSWORD="j4ck").start()
    right = Responder(sandbox, named, "right",
                      VERVE_REDIS_SENTINEL_USER="watcher",
                      VERVE_REDIS_SENTINEL_PASSWORD_FILE=secret).start()
    wait_until(lambda: asks(right), "counts", 20.0)
    # The check of the majority is not allowed: the sentinel is kept.
    sentinel("AUTH", "admin", "k1ng")
    wait_until(lambda: "ckquorum" in str(sentinel("ACL", "LOG")), "is checked")
    assert asks(right, 2)
    assert not asks(wrong)
    wrong.process.wait_output("see redis.sentinel_user and "
                              "redis.sentinel_password")
    for text in ("k1ng", "qu33n", "j4ck"):
        assert text not in wrong.process.output()


def test_callbacks_never_go_to_redis(sandbox, pair):
    """Neither to a sentinel, a replica, the master, nor to that of before."""
    other = Node(sandbox, "other").start()
    sentinel = FalseSentinel(sandbox, address(pair[0].port))
    named = Named(f"127.0.0.1:{sentinel.port}")
    reporter = Reporter(sandbox, named,
                        VERVE_CALLBACKS_ALLOW="127.0.0.0/8").start()
    ports = [sentinel.port, *(node.port for node in pair)]

    def refuse(redis):
        ids = put(redis, *(f"http://127.0.0.1:{port}/" for port in ports))
        wait_until(lambda: len(dead(redis)) == len(ids), "all are dead", 30.0)
        assert dead(redis) == dict.fromkeys(ids, "refused")

    refuse(pair[0])
    sentinel.answer = address(other.port)
    reporter.process.wait_output("the sentinels name another master")
    refuse(other)
    for node in pair:
        assert "SECURITY" not in node.process.output()


def test_vervectl(sandbox, pair):
    """Asks for the same master; a wrong answer is not enough."""
    silent = FalseSentinel(sandbox, b"*-1\r\n")
    liar = FalseSentinel(sandbox, address(pair[1].port))
    honest = FalseSentinel(sandbox, address(pair[0].port))
    hosts = [f"127.0.0.1:{one.port}" for one in (silent, liar, honest)]
    pair[0]("RPUSH", DEAD, job("one"))
    operator = Operator(sandbox, VERVE_REDIS_URL=Named(*hosts).url)
    assert names(operator("queue", "list")) == ["one"]
    operator = Operator(sandbox, VERVE_REDIS_URL=Named(*hosts[:2]).url)
    operator("queue", "list", code=111)
    assert "no sentinel names the master verve" in operator.errors


def test_doctor_names_the_master(sandbox, pair):
    """Its commands are for the master; the others need the same."""
    honest = FalseSentinel(sandbox, address(pair[0].port))
    pair[0]("CONFIG", "SET", "appendonly", "no")
    operator = Operator(sandbox, VERVE_REDIS_URL=Named(
        f"127.0.0.1:{honest.port}").url)
    words = " ".join(operator("doctor", code=None))
    assert (f"-p {pair[0].port} CONFIG SET appendonly 'yes', and in "
            "redis.conf: appendonly yes; the same at each server that verve "
            "may switch to") in words
