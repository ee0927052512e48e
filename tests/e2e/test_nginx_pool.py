"""A pool of four on one listener behind nginx, which keeps its connections."""

import signal
import time

from harness.fastcgi import Responder
from harness.load import Load, accept
from harness.settings import scaled
from harness.web import BACKLOG, Nginx

COUNT = 4


def put_nginx_before(sandbox, redis, pool, keepalive_requests=None):
    web = Nginx(sandbox, redis, VERVE_SOCKET=pool.path)
    web.keepalive_requests = keepalive_requests
    return web.start()


def test_a_rolling_restart_loses_no_request(sandbox, redis):
    """Each gets a TERM in turn, after another began on the same listener."""
    pool = Responder(sandbox, redis, backlog=BACKLOG)
    pool.start(COUNT)
    web = put_nginx_before(sandbox, redis, pool)
    load = Load(sandbox, [web.host], map(accept, range(scaled(50000))))
    oldest = 0
    while load.process.running():
        pool.start()
        time.sleep(0.1)
        pool.processes[oldest].signal(signal.SIGTERM)
        assert pool.processes[oldest].wait() == 0
        oldest += 1
    load.finish()
    assert oldest > 3, "the load was too short"
    assert [row for row in load.rows if not row.ok] == []


def test_none_serves_more_than_twice_the_mean(sandbox, redis):
    """Each counts under a prefix of its own, and each id is new: so the count
    says how many requests it has served."""
    pool = Responder(sandbox, redis, backlog=BACKLOG,
                     VERVE_WINDOW_SECONDS=86400)
    for i in range(COUNT):
        pool.settings["VERVE_REDIS_PREFIX"] = f"pool{i}"
        pool.start()
    web = put_nginx_before(sandbox, redis, pool, keepalive_requests=100)
    load = Load(sandbox, [web.host], map(accept, range(scaled(50000))))
    load.finish()
    assert all(row.ok for row in load.rows)
    served = [sum(int(redis("GET", key))
                  for key in redis("KEYS", f"pool{i}:{{0}}:count:*"))
              for i in range(COUNT)]
    print(f"served: {served}")
    assert sum(served) == len(load.rows)
    assert max(served) <= 2 * sum(served) / COUNT, served
