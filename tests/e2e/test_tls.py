"""https: which certificates are accepted, what that costs, and that a peer that
abuses TLS does not delay other callbacks."""

import ssl

import pytest
from harness import kinesis
from harness.mounts import needs_mounts, wrap
from harness.opens import Opens
from harness.queue import put
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.tls import (BUNDLE, RSA, OpenSsl, Peer, answering, hello_requests,
                         make_certificate, openssl, server_context,
                         use_huge_modulus)
from harness.wait import wait_until

# A single attempt for each job.
SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, "VERVE_CALLBACKS_METHOD": "GET",
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "60",
            "VERVE_CALLBACKS_TIMEOUT_MS": 4000, "VERVE_CALLBACKS_LEASE_S": 8}


@pytest.fixture
def good(sandbox):
    """A certificate that the reporter trusts."""
    return make_certificate(sandbox.folder, "good", RSA)


@pytest.fixture
def reporter(sandbox, redis, good):
    return Reporter(sandbox, redis, before=wrap({BUNDLE: good[0]})).start()


def outcomes(redis, reporter, *urls):
    """Status and error of the first attempt for each URL."""
    ids = put(redis, *urls)
    wait_until(lambda: {line["job"] for line in reporter.callbacks()} >=
               set(ids), "all are tried", 15.0)
    found = {line["job"]: f"{line['status']} {line['error']}"
             for line in reporter.callbacks()}
    return [found[job] for job in ids]


@needs_mounts
def test_only_a_trusted_certificate_is_accepted(sandbox, redis, good,
                                                reporter):
    unknown = make_certificate(sandbox.folder, "unknown")
    peers = [Peer(sandbox, answering(server_context(certificate)))
             for certificate in (good, unknown)]
    assert outcomes(redis, reporter, *(peer.url for peer in peers)) == \
        ["200 -", "- tls"]


@needs_mounts
def test_a_folder_of_certificates_works_without_a_bundle(sandbox, redis, good):
    unknown = make_certificate(sandbox.folder, "unknown")
    folder = sandbox.folder / "certs"
    folder.mkdir()
    (folder / "good.pem").write_bytes(good[0].read_bytes())
    openssl("rehash", folder)
    reporter = Reporter(sandbox, redis,
                        before=wrap({"/etc/ssl/certs": folder})).start()
    peers = [Peer(sandbox, answering(server_context(certificate)))
             for certificate in (good, unknown)]
    assert outcomes(redis, reporter, *(peer.url for peer in peers)) == \
        ["200 -", "- tls"]


@needs_mounts
def test_a_private_ca_is_trusted_beside_the_system(sandbox, redis, good):
    private = make_certificate(sandbox.folder, "private")
    unknown = make_certificate(sandbox.folder, "unknown")
    reporter = Reporter(sandbox, redis, before=wrap({BUNDLE: good[0]}),
                        VERVE_CALLBACKS_CA_FILE=private[0]).start()
    peers = [Peer(sandbox, answering(server_context(certificate)))
             for certificate in (private, good, unknown, private)]
    assert outcomes(redis, reporter, *(peer.url for peer in peers)) == \
        ["200 -", "200 -", "- tls", "200 -"]


def test_a_changed_ca_file_is_read(sandbox, redis):
    first = make_certificate(sandbox.folder, "first")
    second = make_certificate(sandbox.folder, "second")
    path = sandbox.folder / "ca.pem"
    path.write_bytes(first[0].read_bytes())
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CA_FILE=path).start()
    peer = Peer(sandbox, answering(server_context(second)))
    assert outcomes(redis, reporter, peer.url) == ["- tls"]
    path.write_bytes(second[0].read_bytes())
    assert outcomes(redis, reporter, peer.url) == ["200 -"]


@pytest.mark.parametrize("files", ["none", "two", "one"])
def test_a_certificate_is_shown_if_the_endpoint_asks(sandbox, redis, files):
    server = make_certificate(sandbox.folder, "server")
    client = make_certificate(sandbox.folder, "client")
    both = sandbox.folder / "both.pem"
    both.write_bytes(client[0].read_bytes() + client[1].read_bytes())
    settings = {"none": {},
                "two": {"VERVE_CALLBACKS_CLIENT_CERT": client[0],
                        "VERVE_CALLBACKS_CLIENT_KEY": client[1]},
                "one": {"VERVE_CALLBACKS_CLIENT_CERT": both}}[files]
    context = server_context(server)
    context.load_verify_locations(client[0])
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a refusal is a tls error
    peer = Peer(sandbox, answering(context))
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CA_FILE=server[0],
                        **settings).start()
    assert outcomes(redis, reporter, peer.url) == \
        ["- tls" if files == "none" else "200 -"]


@pytest.mark.parametrize("keys", [
    {"ca_file": "missing"}, {"ca_file": "garbage"}, {"client_cert": "missing"},
    {"client_cert": "garbage"}, {"client_key": "a.key"},
    {"client_cert": "a.crt", "client_key": "missing"},
    {"client_cert": "a.crt", "client_key": "b.key"},
    {"client_cert": "a.crt", "client_key": "encrypted"},
    {"client_cert": "a.crt"}])
def test_files_that_cannot_be_used_are_refused(sandbox, redis, keys):
    folder = sandbox.folder
    for name in "ab":
        make_certificate(folder, name)
    (folder / "garbage").write_text("garbage")
    openssl("pkey", "-in", folder / "a.key", "-aes128", "-passout", "pass:x",
            "-out", folder / "encrypted")
    settings = {f"VERVE_CALLBACKS_{key.upper()}": folder / name
                for key, name in keys.items()}
    reporter = Reporter(sandbox, redis, **settings)
    process = sandbox.start("start", reporter.command, reporter.settings)
    assert process.wait() == 100
    assert "cannot be used: " in process.output()
    assert any(key in process.output() for key in settings)


@needs_mounts
def test_the_bundle_is_parsed_once(sandbox, redis, good, reporter):
    """Not for each connection."""
    opens = Opens(sandbox, good[0])
    peer = Peer(sandbox, answering(server_context(good)))
    opens.count()
    assert outcomes(redis, reporter, *[peer.url] * 20) == ["200 -"] * 20
    wait_until(lambda: len(peer.seen) == 20, "the peer has seen all")
    assert opens.count() == 1


@needs_mounts
@pytest.mark.parametrize("huge", [False, True])
def test_a_huge_modulus_is_refused(sandbox, redis, good, reporter, huge):
    """TLS 1.2 with a huge modulus would block the reporter for seconds."""
    context = server_context(good)
    if huge:
        use_huge_modulus(context, sandbox.folder)
    peer = Peer(sandbox, answering(context))
    assert outcomes(redis, reporter, peer.url) == \
        ["- tls" if huge else "200 -"]
    wait_until(lambda: peer.seen, "it has seen the end")
    assert (peer.seen == ["NO_SHARED_CIPHER"]) == huge


@needs_mounts
@pytest.mark.parametrize("group,outcome", [("X25519", "200 -"),
                                           ("ffdhe8192", "- tls")])
def test_a_huge_group_is_refused(sandbox, redis, good, reporter, group,
                                 outcome):
    """TLS 1.3 has finite fields, too."""
    port = free_port()
    server = sandbox.start("s_server", [
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_3",
        "-groups", group, "-cert", good[0], "-key", good[1], "-www"])
    server.wait_output("ACCEPT")
    assert outcomes(redis, reporter, f"https://127.0.0.1:{port}/") == [outcome]


@needs_mounts
@pytest.mark.parametrize("count,outcome", [(20, "200 -"), (80, "- tls")])
def test_a_long_chain_is_refused(sandbox, redis, good, reporter, count,
                                 outcome):
    """A long chain costs much even if it is not trusted."""
    path = sandbox.folder / "list.crt"
    path.write_bytes(good[0].read_bytes() * count)
    peer = Peer(sandbox, answering(server_context((path, good[1]))))
    assert outcomes(redis, reporter, peer.url) == [outcome]


@needs_mounts
def test_renegotiation_is_refused(sandbox, redis, good, reporter):
    server = OpenSsl(good, ssl.TLSVersion.TLSv1_2)
    peer = Peer(sandbox, server.renegotiation)
    put(redis, peer.url)
    wait_until(lambda: peer.seen, "the client has answered")
    assert peer.seen == [False]


@needs_mounts
def test_endless_hello_requests_delay_no_other(sandbox, redis, receiver,
                                               reporter):
    """They end the connection, and others are served."""
    peer = Peer(sandbox, hello_requests)
    assert outcomes(redis, reporter, peer.url, receiver.url("/")) == \
        ["- tls", "200 -"]
    wait_until(lambda: peer.seen, "the client is gone")
    assert peer.seen == [True]


@needs_mounts
def test_endless_key_updates_delay_no_other(sandbox, redis, receiver, good,
                                            reporter):
    peer = Peer(sandbox, OpenSsl(good).key_updates)
    assert outcomes(redis, reporter, peer.url, receiver.url("/")) == \
        ["- reset", "200 -"]


@needs_mounts
@pytest.mark.parametrize("huge", [False, True])
def test_kinesis_with_a_huge_modulus_is_refused(sandbox, redis, good, huge):
    context = server_context(good)
    if huge:
        use_huge_modulus(context, sandbox.folder)
    peer = Peer(sandbox, answering(context))
    Reporter(sandbox, redis, before=wrap({BUNDLE: good[0]}),
             VERVE_WINDOW_SECONDS=1, **kinesis.settings(peer.url)).start()
    wait_until(lambda: peer.seen, "it is called")
    assert (peer.seen[0] == "NO_SHARED_CIPHER") == huge
