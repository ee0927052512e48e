"""TLS to Redis: what is accepted and what is refused, by which words; servers
that abuse it; and that all programs, and Sentinel, use it."""

import socket
import ssl
import time

import pytest
from harness.authority import PAST, Authority, shared, tls_config
from harness.cluster import Cluster
from harness.fastcgi import Responder, parse_response, request
from harness.listener import Listener
from harness.load import accept
from harness.operator import Operator
from harness.process import cpu_s
from harness.queue import DEAD, job
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.sentinel import MASTER, Sentinel, SentinelGroup
from harness.settings import FCGI, REPORTER, SANITIZED, scaled
from harness.tls import hello_requests, server_context, use_huge_modulus
from harness.wait import wait_until

TIMEOUT_MS = 1000
SETTINGS = {"VERVE_WINDOW_SECONDS": 2, "VERVE_REDIS_TIMEOUT_MS": TIMEOUT_MS}
MADE_ANEW = 5  # connections, each with a session ticket or two


@pytest.fixture(scope="module")
def authority():
    return shared()[0]


@pytest.fixture(scope="module")
def certificate():
    return shared()[1]


class TlsRedis(Redis):
    """Its url names it by `host`."""

    def __init__(self, sandbox, authority, certificate, clients="no",
                 host="127.0.0.1", **config):
        super().__init__(sandbox, **config)
        self.port = free_port()
        self.use_tls(self.port, authority, certificate, clients)
        self.url = f"rediss://{host}:{self.port}"


def trusting(authority, client=None):
    """The settings of a program that trusts that CA alone."""
    settings = {"VERVE_REDIS_CA_FILE": authority.path}
    if client:
        settings.update(VERVE_REDIS_CLIENT_CERT=client[0],
                        VERVE_REDIS_CLIENT_KEY=client[1])
    return settings


def counts(responder, number=1):
    return responder.ask(accept(number)).body == b"ok"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_all_programs_use_it(sandbox, authority, certificate, receiver, host):
    redis = TlsRedis(sandbox, authority, certificate, host=host).start()
    redis("ACL", "SETUSER", "me", "on", ">p@ss", "~*", "&*", "+@all")
    redis.url = redis.url.replace("//", "//me:p%40ss@")
    settings = trusting(authority)
    responder = Responder(sandbox, redis, **settings).start()
    assert responder.ask(accept(7, receiver.url("/x"))).body == b"ok"
    reporter = Reporter(sandbox, redis, **settings).start()
    receiver.wait_count(1, seconds=30.0)
    wait_until(reporter.report, "a window is reported", 30.0)
    users = [line for line in redis("CLIENT", "LIST").splitlines()
             if "name=verve-" in line]
    assert len(users) >= 3 and all("user=me" in line for line in users)
    redis("RPUSH", DEAD, job("http://a.example/"))
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url, **settings)
    assert len(operator("queue", "list", "--dead")) == 1
    call = sandbox.start("call", [REPORTER, "--call", receiver.url("/y")],
                         {"VERVE_REDIS_URL": redis.url, **settings,
                          "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"})
    assert call.wait() == 0, call.output()


def refusal(sandbox, redis, words, **settings):
    """A responder and a reporter log these words, stay, and say 503."""
    responder = Responder(sandbox, redis, **settings).start()
    reporter = Reporter(sandbox, redis, **settings)
    reporter.settings["VERVE_REDIS_TIMEOUT_MS"] = TIMEOUT_MS
    reporter.start()
    for process in responder.processes[0], reporter.process:
        process.wait_output(words)
    assert responder.ask(accept(1)).status == 503
    return responder


@pytest.mark.parametrize("case,words", [
    ("unknown", "redis.ca_file must have the certificate of its CA"),
    ("expired", "certificate has expired; renew the certificate"),
    ("name", "hostname mismatch; the certificate must have this host"),
    ("address", "IP address mismatch; the certificate must have this host"),
])
def test_a_wrong_certificate_is_refused(sandbox, authority, case, words):
    issuer = Authority(sandbox.folder, "other") if case == "unknown" else \
        authority
    names = {"name": "DNS:other.example,IP:127.0.0.1",
             "address": "DNS:localhost,IP:127.0.0.2"}.get(case)
    certificate = issuer.issue(
        f"{case}-server", *([names] if names else []),
        times=PAST if case == "expired" else None)
    redis = TlsRedis(sandbox, authority, certificate,
                     host="localhost" if case == "name" else "127.0.0.1")
    redis.start()
    responder = refusal(sandbox, redis, words, **trusting(authority))
    output = responder.processes[0].output()
    assert f":{redis.port}): " in output
    assert "TLS: certificate verify failed" in output


def test_only_ca_file_is_trusted(sandbox, authority, certificate):
    """Also if the system trusts the CA. Without the key, the system's count."""
    other = Authority(sandbox.folder, "other")
    redis = TlsRedis(sandbox, authority, certificate).start()
    trusted = {"SSL_CERT_FILE": authority.path}
    responder = Responder(sandbox, redis, "system", **trusted).start()
    assert counts(responder)
    refusal(sandbox, redis, "redis.ca_file", **trusted,
            VERVE_REDIS_CA_FILE=other.path)


def test_clients_need_a_certificate(sandbox, authority, certificate):
    """And one of the right CA; a certificate that was replaced is shown from
    the next connect on."""
    other = Authority(sandbox.folder, "other")
    files = [sandbox.folder / "client.crt", sandbox.folder / "client.key"]

    def install(issuer, times=None):
        for path, new in zip(files, issuer.issue("client", times=times)):
            path.write_bytes(new.read_bytes())
    redis = TlsRedis(sandbox, authority, certificate, "yes").start()
    refusal(sandbox, redis, "set redis.client_cert and redis.client_key",
            **trusting(authority))
    install(other)
    responder = Responder(sandbox, redis, "known",
                          **trusting(authority, files)).start()
    responder.processes[0].wait_output(
        "it refuses redis.client_cert: tls-ca-cert-file")
    install(authority, PAST)
    responder.processes[0].wait_output(
        "it refuses redis.client_cert: renew it")
    files[1].write_text("no key\n")
    responder.processes[0].wait_output("and by now redis.client_key cannot be")
    install(authority)
    wait_until(lambda: counts(responder), "the new certificate is shown")
    without = Operator(sandbox, VERVE_REDIS_URL=redis.url,
                       **trusting(authority))
    assert "see docs/redis-tls.md" in advice(without, "redis")
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url,
                        **trusting(authority, files))
    operator("status")
    found = operator("doctor", code=None)
    assert any(line.startswith("warning   tls ") for line in found), found
    changes = [line for line in found if "CONFIG SET" in line]
    assert changes and all(
        f"-p {redis.port} --tls --cacert {authority.path} --cert {files[0]} "
        f"--key {files[1]} CONFIG" in line for line in changes)


def advice(operator, name):
    """What doctor says to change about its critical finding of that name."""
    found = operator("doctor", code=2)
    lines = [place for place, line in enumerate(found)
             if line.startswith(f"critical  {name} ")]
    assert lines, found
    return found[lines[0] + 1]


def test_doctor_says_what_is_wrong(sandbox, authority):
    named = authority.issue("named", "DNS:other.example")
    redis = TlsRedis(sandbox, authority, named).start()
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url,
                        **trusting(authority))
    found = operator("doctor", code=2)
    assert any(line.startswith("critical  tls ") and "mismatch" in line
               for line in found), found


def test_the_wrong_port(sandbox, authority, certificate):
    """A port without TLS, and one with TLS that is taken for one without."""
    plain = Redis(sandbox, name="plain", port=free_port(), tls_port=0,
                  bind="127.0.0.1")
    plain.url = f"rediss://127.0.0.1:{plain.config['port']}"
    plain.start()
    responder = Responder(sandbox, plain, "first",
                          **trusting(authority)).start()
    responder.processes[0].wait_output("that is tls-port in redis.conf")
    redis = TlsRedis(sandbox, authority, certificate).start()
    redis.url = redis.url.replace("rediss", "redis")
    responder = Responder(sandbox, redis, "second").start()
    responder.processes[0].wait_output("write rediss:// in redis.url")
    assert responder.ask(accept(1)).status == 503


class Fake:
    """A server that serves connections as it is told, and looks like a Redis to
    the harness."""

    def __init__(self, sandbox, serve):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = listener.getsockname()[1]
        self.url_of = lambda user: f"rediss://127.0.0.1:{self.port}"
        self.serve = serve
        self.connections = 0
        Listener(sandbox, listener, self.run)

    def run(self, connection):
        self.connections += 1
        with connection:
            connection.settimeout(20)
            try:
                self.serve(connection)
            except (OSError, ssl.SSLError):
                pass


def hang(connection):
    while connection.recv(65536):
        pass


def drip(connection):
    """A ServerHello, byte by byte, without an end."""
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
    while True:
        connection.sendall(b"\x03")
        time.sleep(0.05)


def speak_http(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def close_midway(connection):
    connection.recv(16)


def send_garbage(connection):
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x00\x10" + bytes(range(16)))


def old_version(certificate):
    context = server_context(certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return lambda connection: context.wrap_socket(connection, server_side=True)


def hang_afterwards(certificate):
    """The handshake ends, and then nothing comes."""
    context = server_context(certificate)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            while tls.recv(65536):
                pass
    return serve


def huge_chain(certificate):
    """A megabyte of certificates."""
    paths = certificate[0].with_suffix(".chain"), certificate[1]
    text = certificate[0].read_text()
    paths[0].write_text(text * ((1 << 20) // len(text)))
    context = server_context(paths)
    return lambda connection: context.wrap_socket(connection, server_side=True)


def expensive(certificate):
    """Finite-field Diffie-Hellman with a huge modulus."""
    context = server_context(certificate)
    use_huge_modulus(context, certificate[0].parent)
    return lambda connection: context.wrap_socket(connection, server_side=True)


@pytest.mark.parametrize("serve,words", [
    (lambda _: hang, "the TLS handshake did not end in time; is it a TLS port"),
    (lambda _: drip, "the TLS handshake did not end in time"),
    (lambda _: speak_http, "this is no TLS"),
    (lambda _: close_midway, "during the TLS handshake; is it a TLS port"),
    (lambda _: send_garbage, "TLS: "),
    (lambda _: hello_requests, "during the TLS handshake"),
    (old_version, "verve needs TLS 1.2 or later"),
    (hang_afterwards, "no answer in time"),
    (huge_chain, "TLS: excessive message size"),
    (expensive, "it has no cipher with ECDHE"),
], ids=["hangs", "drips", "http", "closes", "garbage", "hello-requests",
        "tls-1.1", "hangs-later", "chain", "modulus"])
def test_a_server_that_abuses_it(sandbox, authority, serve, words):
    """It is tried again, costs next to nothing, and delays no other page."""
    fake = Fake(sandbox, serve(authority.issue("abuse")))
    responder = Responder(sandbox, fake, **trusting(authority)).start()
    process = responder.processes[0]
    process.wait_output(words)
    before_s, count = cpu_s(process.pid), fake.connections
    wait_until(lambda: fake.connections >= count + 3, "it is tried again", 30.0)
    assert cpu_s(process.pid) - before_s < 0.5
    asked = time.monotonic()
    assert responder.ask(accept(1)).status == 503
    assert time.monotonic() - asked < 2 * TIMEOUT_MS / 1000 + 1.0
    assert responder.ask("/healthz").status == 200


class Relay:
    """TLS for a Redis without: its records are what the test wants."""

    def __init__(self, certificate, redis, size=None, version=None):
        self.context = server_context(certificate)
        if version:
            self.context.maximum_version = version
        self.redis = redis
        self.size = size  # of the pieces of an answer

    def __call__(self, connection):
        connection.settimeout(None)
        with self.context.wrap_socket(connection, server_side=True) as tls, \
                socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self.redis.path))
            while data := tls.recv(65536):
                server.sendall(data)
                answer = server.recv(1 << 20)
                if not answer:
                    return
                step = self.size or len(answer)
                for at in range(0, len(answer), step):
                    tls.sendall(answer[at:at + step])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_answers_in_small_records(sandbox, redis, authority, certificate,
                                  version):
    fake = Fake(sandbox, Relay(certificate, redis, 3, version))
    responder = Responder(sandbox, fake, **trusting(authority)).start()
    assert all(counts(responder, number) for number in range(20))
    assert "lost" not in responder.processes[0].output()


def test_session_tickets_are_no_answer(sandbox, authority, certificate):
    """They come unasked, after the handshake; a connection stays for all."""
    redis = TlsRedis(sandbox, authority, certificate).start()
    responder = Responder(sandbox, redis, **trusting(authority)).start()
    assert all(counts(responder, number) for number in range(50))
    for _ in range(MADE_ANEW):
        redis.end_connections()
        wait_until(lambda: counts(responder), "counts again")
    assert responder.processes[0].output().count("unexpected reply") == 0
    stats = redis("INFO", "stats")
    received = stats.split("total_connections_received:")[1].split()[0]
    assert int(received) < MADE_ANEW + 10


def test_large_batches(sandbox, authority, certificate, receiver):
    """More than a record and a socket buffer take at once."""
    redis = TlsRedis(sandbox, authority, certificate).start()
    responder = Responder(sandbox, redis, **trusting(authority),
                          VERVE_REDIS_TIMEOUT_MS=20000).start()
    url = receiver.url("/" + "x" * 2000)
    peers = [responder.peer(30.0) for _ in range(128)]
    redis.freeze()
    for number, peer in enumerate(peers):
        peer.send(request(accept(number, url)))
    redis.thaw()
    assert all(parse_response(peer.read_to_end()).body == b"ok"
               for peer in peers)


def test_a_redis_that_comes_and_goes(sandbox, authority, certificate):
    """kill -9, SIGSTOP, and a restart with another certificate."""
    redis = TlsRedis(sandbox, authority, certificate).start()
    responder = Responder(sandbox, redis, **trusting(authority)).start()
    assert counts(responder)
    redis.kill()
    wait_until(lambda: responder.ask(accept(2)).status == 503, "503")
    redis.config["tls_cert_file"], redis.config["tls_key_file"] = \
        authority.issue("second")
    redis.start()
    wait_until(lambda: counts(responder, 3), "counts again")
    redis.freeze()
    assert responder.ask(accept(4)).status == 503
    redis.thaw()
    wait_until(lambda: counts(responder, 5), "counts again")


def memory_kb(process):
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file
                        if line.startswith("Pss_Anon:")))


def test_connects_leak_nothing(sandbox, authority, certificate):
    fake = Fake(sandbox, lambda connection: server_context(certificate)
                .wrap_socket(connection, server_side=True).close())
    responder = Responder(sandbox, fake, **trusting(authority)).start()
    process = responder.processes[0]
    wait_until(lambda: fake.connections > 10, "the first", 60.0)
    before = memory_kb(process)
    wait_until(lambda: fake.connections > 10 + scaled(60), "many more", 120.0)
    if not SANITIZED:  # it keeps what was freed, and finds leaks by itself
        assert memory_kb(process) - before < 512


def test_keys_that_do_not_fit(sandbox, authority):
    """-t names the file, the line and the key; so does the start."""
    client = authority.issue("pair")
    path = sandbox.folder / "verve.conf"
    garbage = sandbox.folder / "garbage"
    garbage.write_text("no certificate\n")
    tls, ca = "url = rediss://h", f"ca_file = {authority.path}"
    cert, key = f"client_cert = {client[0]}", f"client_key = {client[1]}"
    for lines, words in [
            (["url = redis://h", ca], ":3: redis.ca_file: it would not be used"),
            (["url = unix:///s", cert, key],
             ":3: redis.client_cert: it would not be used"),
            ([tls, cert], ":3: redis.client_cert: set redis.client_key"),
            ([tls, key], ":3: redis.client_key: set redis.client_cert"),
            ([tls, "ca_file = ca.crt"], ":3: redis.ca_file: "),
            ([tls, "ca_file = /none"],
             ":3: redis.ca_file: cannot be used: No such file"),
            ([tls, f"ca_file = {garbage}"],
             ":3: redis.ca_file: cannot be used: no certificate"),
            ([tls, ca, cert, f"client_key = {authority.key}"],
             ":5: redis.client_key: cannot be used: key values mismatch"),
    ]:
        path.write_text("\n".join(["[redis]", *lines]) + "\n")
        for program in FCGI, REPORTER:
            process = sandbox.start("program", [program, "-t", "-c", path])
            assert process.wait() == 100, lines
            assert f"{path}{words}" in process.output(), lines
    path.write_text("\n".join(["[redis]", tls, ca, cert, key]) + "\n")
    process = sandbox.start("program", [FCGI, "-t", "-c", path])
    assert process.wait() == 0, process.output()


class TlsGroup(SentinelGroup):
    """All of it by TLS: clients, replication, and what sentinels ask."""

    def __init__(self, sandbox, authority, certificate):
        self.authority = authority
        self.certificate = certificate
        self.lines = tls_lines(tls_config(0, authority, certificate))
        super().__init__(sandbox, replicas=1, sentinels=3,
                         tls_replication="yes")
        for node in self.nodes:
            node.use_tls(node.port, authority, certificate)

    def start_sentinels(self):
        for i in range(self.sentinel_count):
            one = Sentinel(self.sandbox, f"sentinel-{i}", self.first_port)
            text = one.file.read_text().replace(f"\nport {one.port}\n", "\n")
            one.file.write_text(
                text + self.lines + f"port 0\ntls-port {one.port}\n")
            self.sentinels.append(one.start())
        self.wait_known()

    @property
    def url(self):
        return super().url.replace("redis+", "rediss+")


def tls_lines(config):
    lines = [f"{key.replace('_', '-')} {value}" for key, value in config.items()
             if key.startswith("tls_") and key != "tls_port"]
    return "\n".join([*lines, "tls-replication yes", ""])


def test_sentinels(sandbox, authority, certificate):
    group = TlsGroup(sandbox, authority, certificate).start()
    settings = trusting(authority)
    responder = Responder(sandbox, group, **settings).start()
    wait_until(lambda: counts(responder), "counts")
    old = group.nodes[0]
    operator = Operator(sandbox, VERVE_REDIS_URL=group.url, **settings)
    operator("status")
    group.fail_over()
    new = group.wait_promoted(old)
    wait_until(new.has_program, "the program follows", 20.0)
    wait_until(lambda: counts(responder, 2), "counts at the new master")
    assert f"({MASTER} at 127.0.0.1:{new.port})" in \
        responder.processes[0].output()
    wrong = Responder(sandbox, group, "wrong").start()
    wrong.processes[0].wait_output("no sentinel names the master")
    assert "TLS: certificate verify failed" in wrong.processes[0].output()


class TlsCluster(Cluster):
    """All of it by TLS: clients, the bus, and replication."""

    def __init__(self, sandbox, authority, certificate):
        super().__init__(sandbox, replicas=0, tls_cluster="yes",
                         tls_replication="yes")
        for node in self.nodes:
            node.use_tls(node.port, authority, certificate)

    @property
    def url(self):
        return super().url.replace("redis+", "rediss+")


def test_cluster(sandbox, authority, certificate):
    cluster = TlsCluster(sandbox, authority, certificate).start()
    responder = Responder(sandbox, cluster, **trusting(authority)).start()
    wait_until(lambda: counts(responder), "counts")
    node = cluster.master_of()
    assert node.has_program()
    node.end_connections()
    wait_until(lambda: counts(responder, 2), "counts again")
    wrong = Responder(sandbox, cluster, "wrong").start()
    wrong.processes[0].wait_output("TLS: certificate verify failed")
