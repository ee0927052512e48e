"""Redis that fails over by itself: a master, two replicas and three sentinels,
each behind a gate. The programs reach a new master only once its data has been
read."""

import os
import threading
import time

from gate import REPLICA, Gate
from harness.sentinel import DOWN_MS, SentinelGroup
from harness.wait import wait_until
from servers import Reader

# Outside of faults: on a slow machine sentinels would else switch by
# themselves, which the checker knows nothing of.
CALM_MS = 60000
FAILOVER_MS = 2000  # Sentinel waits for twice that before the next
SOON_S = 60.0


def is_program(name):
    return name.startswith("verve")


class SentinelStore:
    """As servers.Store."""

    def __init__(self, sandbox, fsync):
        self.link = sandbox.folder / "redis.sock"  # to the master, for us
        self.moving = threading.Lock()  # never: there is one server
        self.group = SentinelGroup(sandbox, gate=Gate, fsync=fsync)
        self.group.start()
        for one in self.group.sentinels:
            one("SENTINEL", "SET", "verve", "failover-timeout", FAILOVER_MS)
        self.ids = {f"sentinel-{one('SENTINEL', 'MYID')[:8]}": one
                    for one in self.group.sentinels}
        self.master = self.group.nodes[0]
        self.programs = 0  # that were connected before the fault
        self.calm()
        self.publish()

    def calm(self):
        self.group.set_down_after(CALM_MS)

    def hurry(self):
        self.group.set_down_after(DOWN_MS)

    def publish(self):
        new = self.link.with_name("redis.new")
        os.symlink(self.master.path, new)
        os.replace(new, self.link)

    def reader(self):
        return Reader(self.link)

    def url_of(self, user):
        return self.group.url_of(user)

    def __call__(self, *words):
        return self.master(*words)

    # Who reaches whom.

    def others(self):
        return [node for node in self.group.nodes if node is not self.master]

    def gates(self):
        return [one.gate for one in [*self.group.nodes, *self.group.sentinels]]

    def keep_programs_away(self):
        """From all servers but the master."""
        self.programs = self.master.programs()
        for node in self.others():
            node.gate.cut(is_program)

    def stop_replicating(self):
        self.master.gate.cut(lambda name: name == REPLICA)

    def part(self, sentinels):
        """The programs, the master and these sentinels are cut off from all
        others, and these from them."""
        def is_inside(name):
            return is_program(name) or self.ids.get(name) in sentinels

        for one in [self.master, *sentinels]:
            one.gate.cut(lambda name: not is_inside(name))
        for one in [*self.others(), *self.group.sentinels]:
            if one not in sentinels:
                one.gate.cut(is_inside)

    def heal(self):
        """The replicas that may be masters stay hidden from the programs."""
        for gate in self.gates():
            gate.let_through()
        for node in self.others():
            node.gate.cut(is_program)

    # The switch.

    def wait_promoted(self):
        return self.group.wait_promoted(self.master, SOON_S)

    def is_followed(self, new):
        """By the replicas that were not promoted."""
        return all(node.info("master_port") == str(new.door)
                   for node in self.others() if node is not new)

    def is_named(self, new):
        """By all sentinels."""
        return {one.master_door()
                for one in self.group.sentinels} == {new.door}

    def is_down(self):
        """A sentinel has begun a failover."""
        return any(one.status("flags").count("failover_in_progress")
                   for one in self.group.sentinels)

    def is_left(self):
        """No program is connected to the master of before."""
        return not self.master.gate.has_programs()

    def take_over(self, new):
        """The programs may see the new master."""
        self.master = new
        for gate in self.gates():
            gate.let_through()
        self.publish()
        return time.time()

    def settle(self):
        """All servers follow, and a new failover may begin."""
        wait_until(lambda: all(node.process.running() and node.follows()
                               for node in self.others()),
                   "the others follow", SOON_S, 0.1)
        self.group.wait_known()
        wait_until(lambda: self.is_named(self.master), "the sentinels agree",
                   SOON_S, 0.1)
