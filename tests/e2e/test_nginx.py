"""Each shipped configuration of nginx, by itself: nginx takes it without a
warning, and keeps a client's connection with it."""

import subprocess

import pytest
from harness import debian
from harness.fastcgi import Responder
from harness.http import fetch, fetch_kept
from harness.load import accept
from harness.sandbox import free_port
from harness.web import NGINX_CONF, wait_until_healthy

REQUESTS = 20000


def own(sandbox, port):
    folder = sandbox.folder / "own"
    subprocess.run([NGINX_CONF, folder], check=True, env=sandbox.environment({
        "BIND": "127.0.0.1", "PORT": port,
        "VERVE_SOCKET": sandbox.folder / "v.sock"}))
    return ["nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf"]


def within_debians(sandbox, port):
    return debian.nginx_command(sandbox, port)


every_configuration = pytest.mark.parametrize("configuration",
                                              [own, within_debians])


@every_configuration
def test_nginx_takes_it(sandbox, configuration):
    command = configuration(sandbox, free_port())
    check = sandbox.start("check", [*command, "-t", "-q"])
    assert check.wait() == 0, check.output()
    # Other modules that are installed may have something to say, as [info].
    assert "[warn]" not in check.output()


@every_configuration
def test_one_connection_serves_many_requests(sandbox, redis, configuration):
    Responder(sandbox, redis, "v").start()
    port = free_port()
    sandbox.start("nginx", configuration(sandbox, port))
    wait_until_healthy(port)
    fetch_kept(port, accept(7), REQUESTS)


def test_a_location_of_the_site_takes_no_file_of_the_status_page(sandbox,
                                                                 redis):
    """Such as those of many sites, for the headers of all their files."""
    Responder(sandbox, redis, "v").start()
    port = free_port()
    command = own(sandbox, port)
    main = sandbox.folder / "own" / "nginx.conf"
    main.write_text(main.read_text().replace(
        "location / {", r"location ~* \.(css|js)$ { return 404; } location / {",
        1))
    sandbox.start("nginx", command)
    wait_until_healthy(port)
    assert fetch(port, "/site.css").status == 404
    assert fetch(port, "/status/status.css").status == 200
