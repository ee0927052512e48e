"""The connection to a Redis Cluster follows the slot, whatever happens to its
node. One shard; more of them are for test_shard_faults.py."""

import re
import socket
import time

import pytest
from harness.authority import shared
from harness.cluster import Cluster, free_ports
from harness.fastcgi import Responder
from harness.load import accept
from harness.metrics import numbers
from harness.queue import dead, put
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import FCGI, ROOT
from harness.wait import wait_until
from test_sentinel import FalseSentinel, bulk

TIMEOUT_MS = 250
SETTINGS = {"VERVE_WINDOW_SECONDS": 86400, "VERVE_REDIS_TIMEOUT_MS": TIMEOUT_MS}
PLACE = "{0}"  # all keys of the one shard


class Asker:
    """A responder, asked with a new id each time."""

    def __init__(self, sandbox, redis, name="fcgi", **settings):
        self.responder = Responder(sandbox, redis, name, **settings).start()
        self.number = 0

    def __call__(self):
        self.number += 1
        return self.responder.ask(accept(self.number)).body == b"ok"

    def wait_counts(self, what="counts", seconds=40.0):
        wait_until(self, what, seconds, 0.005)

    def says(self, words, seconds=20.0):
        self.responder.process.wait_output(words, seconds)

    def errors(self, reason):
        text = self.responder.ask("/metrics", REMOTE_ADDR="127.0.0.1")
        return numbers(text.body.decode())[f'verve_redis_errors_total{{reason="{reason}"}}']


class Named:
    """A cluster by these nodes."""

    def __init__(self, *hosts):
        self.url = f"redis+cluster://{','.join(hosts)}"

    def url_of(self, user):
        del user
        return self.url


def wait_followed(cluster, asks, old):
    """Prints for how long ids were refused once the slot had a new master."""
    new = cluster.wait_moved(PLACE, old)
    moved = time.monotonic()
    asks.wait_counts()
    wait_until(new.has_program, "the program follows", 20.0)
    print(f"counts {time.monotonic() - moved:.3f} s after the move")
    return new


def asked(node):
    """How often it was asked for the slots, by programs and tests."""
    return node.calls("cluster|slots")


def test_follows(sandbox):
    """A planned failover, a killed master, one that hangs, a slot that is
    moved."""
    cluster = Cluster(sandbox).start()
    asks = Asker(sandbox, cluster)
    asks.wait_counts()
    old = cluster.master_of(PLACE)
    counted = asks.number
    cluster.fail_over(PLACE)
    new = wait_followed(cluster, asks, old)
    asks.says(f"moved to 127.0.0.1:{new.port}")
    wait_until(lambda: not old.has_program(), "the old master is left")
    assert asks.number - counted <= 3  # the error says where the slot is
    cluster.wait_whole()

    new.kill()
    third = wait_followed(cluster, asks, new)
    assert third is old
    new.start()
    cluster.wait_whole()

    third.freeze()
    fourth = wait_followed(cluster, asks, third)
    third.thaw()
    wait_until(lambda: not third.has_program(), "is not gone back to", 20.0)
    cluster.wait_whole()

    target = next(node for node in cluster.masters() if node is not fourth)
    counted = asks.number
    wait_until(asks, "counts")
    cluster.move(PLACE, target)
    wait_followed(cluster, asks, fourth)
    assert asks.number - counted <= 5
    assert asks.errors("moved") <= 2  # no node sends it to and fro


def test_a_slot_is_moved_slowly(sandbox):
    """While some keys are here and some are there, ids wait: TRYAGAIN. A node
    that is gone without a replica is waited for."""
    cluster = Cluster(sandbox, replicas=0).start()
    source = cluster.master_of(PLACE)
    asks = Asker(sandbox, Named(f"127.0.0.1:{source.port}"))
    asks.wait_counts()
    for _ in range(20):
        asks.wait_counts()
    target = next(node for node in cluster.masters() if node is not source)
    cluster.begin_move(PLACE, target)
    cluster.move_keys(PLACE, source, target, most=5)
    wait_until(lambda: not asks() and asks.errors("tryagain") > 0, "waits")
    cluster.move_keys(PLACE, source, target)
    cluster.end_move(PLACE, target)
    asks.wait_counts()
    assert target.has_program() and asks.errors("moved") > 0

    target.kill()
    wait_until(lambda: not asks(), "the slot has no master")
    asks.says("Connection refused")
    target.start()
    asks.wait_counts()


def test_the_master_is_not_asked_on(sandbox):
    """It is the last to know that it is none any more."""
    master, replica = Cluster(sandbox, masters=1, replicas=1).start().nodes
    asks = Asker(sandbox, Named(f"127.0.0.1:{master.port}"))
    asks.wait_counts()
    before = asked(replica)
    wait_until(lambda: asked(replica) >= before + 4, "asks another", 20.0)
    before, of_master = asked(replica), asked(master)
    wait_until(lambda: asked(replica) >= before + 4, "asks on", 20.0)
    assert asked(master) == of_master


def test_one_seed_and_names(sandbox):
    """All nodes of the url are dead but one, and names of nodes are looked
    up; then that node dies, too: the others were learnt."""
    cluster = Cluster(sandbox, replicas=0, cluster_announce_hostname="localhost",
                      cluster_preferred_endpoint_type="hostname").start()
    first = next(node for node in cluster.nodes
                 if node is not cluster.master_of(PLACE))
    dead = [f"localhost:{port}" for port in free_ports(3)]
    asks = Asker(sandbox, Named(*dead, f"localhost:{first.port}"))
    asks.wait_counts()
    asks.says(f"at localhost:{cluster.master_of(PLACE).port}")
    first.kill()
    third = next(node for node in cluster.nodes
                 if node is not first and not node.owns(13907))
    third("CONFIG", "RESETSTAT")
    wait_until(lambda: asked(third), "a learnt node is asked",
               20.0)
    assert asks()
    first.start()


def slots(port, host=b"127.0.0.1"):
    """CLUSTER INFO and CLUSTER SLOTS: all slots are there."""
    return info("ok") + b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n%s:%d\r\n%s" % (
        bulk(host)[4:], port, bulk(b"id")[4:])


def info(state):
    text = b"cluster_state:" + state.encode() + b"\r\n"
    return b"$%d\r\n%s\r\n" % (len(text), text)


def test_tls(sandbox):
    """Nodes tell the port with TLS to those who ask by TLS."""
    authority, certificate = shared()
    cluster = Cluster(sandbox)
    cluster.use_tls(authority, certificate)
    cluster.start()
    asks = Asker(sandbox, cluster, VERVE_REDIS_CA_FILE=authority.path)
    asks.wait_counts()
    old = cluster.master_of(PLACE)
    cluster.fail_over(PLACE)
    wait_followed(cluster, asks, old)


def test_nodes_that_lie_or_hang(sandbox):
    """In turn, until one says the truth."""
    cluster = Cluster(sandbox, masters=3, replicas=1).start()
    master = cluster.master_of(PLACE)
    replica = cluster.replicas_of(master)[0]
    lies = {
        "no answer in time": b"",
        "it is no node": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "it is no node of a cluster": b"+OK\r\n+OK\r\n",
        "use redis://host:port":
            b"-ERR This instance has cluster support disabled\r\n" * 2,
        "does not reach this node": info("fail") + slots(7)[len(info("ok")):],
        "no master serves the slot": info("ok") + b"*0\r\n",
        "no master serves the slot;": slots(7, b"a host\x1b[2J"),
        "it is no node of a cluster;": info("ok") + b":7\r\n",
        # So large that to free it would take minutes.
        "it is no node;": info("ok") + b"*2147483647\r\n",
    }
    large = len(lies) - 1
    made = [FalseSentinel(sandbox, answer) for answer in lies.values()]
    made.append(FalseSentinel(sandbox, slots(replica.port)))
    asks = Asker(sandbox, Named(*(f"127.0.0.1:{one.port}" for one in made),
                                f"127.0.0.1:{cluster.nodes[0].port}"))
    asks.wait_counts()
    assert "\x1b" not in asks.responder.process.output()

    def asks_nodes_alone():
        """Not if a node was too slow to answer in time."""
        before = [one.asked for one in made]
        calls = sum(map(asked, cluster.nodes))
        wait_until(lambda: sum(map(asked, cluster.nodes)) > calls + 2,
                   "asks on", 20.0)
        return [one.asked for one in made] == before

    wait_until(asks_nodes_alone, "those that lie are asked no more", 60.0)
    fooled = Asker(sandbox, Named(*(f"127.0.0.1:{one.port}"
                                    for one in made[:len(lies)])), "fooled")
    assert not fooled()
    for words in lies:
        fooled.says(words)
    fooled.says(f":{made[large].port}: it is no node")


class FalseNode(FalseSentinel):
    """Says that another node has the slot."""

    def send_to(self, port):
        self.answer = slots(port)
        self.moved = b"-MOVED 13907 127.0.0.1:%d\r\n" % port

    def answer_to(self, data):
        return self.answer if b"SLOTS" in data else self.moved


@pytest.mark.parametrize("count", [1, 2])
def test_nodes_that_send_to_each_other(sandbox, count):
    """Or to themselves: no busy loop."""
    made = [FalseNode(sandbox, b"") for _ in range(count)]
    for one, other in zip(made, made[::-1]):
        one.send_to(other.port)
    asks = Asker(sandbox, Named(*(f"127.0.0.1:{one.port}" for one in made)))
    asks.says("moved to")
    assert not asks()
    before = sum(one.connections for one in made)
    time.sleep(1.0)
    assert sum(one.connections for one in made) - before < 40


def refusal(sandbox, url):
    """What a program says that can't start with that redis.url."""
    listener = socket.create_server(("127.0.0.1", 0))
    sandbox.on_close(listener.close)
    process = sandbox.start("refused", [FCGI], {"VERVE_REDIS_URL": url},
                            stdin=listener)
    assert process.wait(20.0) == 100
    return process.output()


def test_what_an_operator_has_to_change(sandbox):
    """A wrong kind of url, and a cluster that stops as a whole."""
    redis = Redis(sandbox, port=free_port()).start()
    cluster = Cluster(sandbox, masters=3, replicas=0,
                      cluster_require_full_coverage="yes").start()

    assert "it is a node of a cluster: use redis+cluster://" in refusal(
        sandbox, f"redis://127.0.0.1:{cluster.nodes[0].port}")
    for node in cluster.nodes:
        node("ACL", "SETUSER", "blind", "on", ">p", "~*", "&*", "+@all", "-info")
    other = next(node for node in cluster.nodes
                 if node is not cluster.master_of(PLACE))
    assert re.search(r": MOVED \d+ \S+; it is a node of a cluster: use redis\+",
                     refusal(sandbox,
                             f"redis://blind:p@127.0.0.1:{other.port}"))
    plain = Asker(sandbox, Named(f"127.0.0.1:{redis.config['port']}"), "plain")
    plain.says("it is no node of a cluster: use redis://host:port")
    asks = Asker(sandbox, cluster)
    asks.wait_counts()
    asks.says("set cluster-require-full-coverage no on all nodes")
    cluster.nodes[0].kill()  # not that of the slot
    wait_until(lambda: not asks() and asks.errors("clusterdown"), "stops", 20.0)
    cluster.nodes[0].start()
    asks.wait_counts()


def test_rights(sandbox):
    """The users of redis.acl are enough; without the right to ask for the
    cluster there is an error that says so."""
    cluster = Cluster(sandbox, replicas=0).start()
    rules = next(line.split()[2:] for line
                 in (ROOT / "conf" / "redis.acl").read_text().splitlines()
                 if line.startswith("user verve-responder "))
    for node in cluster.nodes:
        node("ACL", "SETUSER", "me", "on", ">p@ss", *rules)
        node("ACL", "SETUSER", "less", "on", ">p@ss", *rules,
             "-cluster|slots")
        node("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
        node("AUTH", "admin", "admin")
        node("ACL", "SETUSER", "default", "off")
    cluster.login = "me:p%40ss@"
    asks = Asker(sandbox, cluster)
    asks.wait_counts()
    cluster.login = "less:p%40ss@"
    less = Asker(sandbox, cluster, "less")
    less.says("(+cluster|info and +cluster|slots): see redis.acl")


def test_callbacks_never_go_to_a_node(sandbox):
    """Neither to one that the program never had a connection to."""
    cluster = Cluster(sandbox).start()
    asked = cluster.nodes[0]
    # A replica is left out of the map until its node has heard of its data.
    wait_until(lambda: all(str(node.port) in str(asked("CLUSTER", "SLOTS"))
                           for node in cluster.nodes), "all are known", 40.0)
    Reporter(sandbox, Named(f"127.0.0.1:{asked.port}"),
             VERVE_CALLBACKS_ALLOW="127.0.0.0/8").start()
    ids = put(cluster, *(f"http://127.0.0.1:{node.port}/"
                         for node in cluster.nodes))
    wait_until(lambda: len(dead(cluster)) == len(ids), "all are dead", 30.0)
    assert dead(cluster) == dict.fromkeys(ids, "refused")
    for node in cluster.nodes:
        assert "SECURITY" not in node.process.output()
