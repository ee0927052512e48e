"""What a client is told."""


def assert_unavailable(answer):
    """503: verve can't count just now."""
    assert (answer.status, answer.body) == (503, b"failed")
    assert answer.headers["retry-after"] == "1"
    assert "verve-window" not in answer.headers
