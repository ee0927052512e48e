"""Answers to clients."""


def assert_unavailable(answer):
    """503: verve can't count now; the client may try again."""
    assert (answer.status, answer.body) == (503, b"failed")
    assert answer.headers["retry-after"] == "1"
    assert "verve-window" not in answer.headers
