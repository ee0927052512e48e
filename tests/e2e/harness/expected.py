"""The report that must come out, by the answers that clients got."""

from .load import accept
from .records import assert_no_window_missing, epoch


class Expected:
    """How many unique ids were answered ok, by window."""

    def __init__(self, responder, window_s=1):
        self.responder = responder
        self.window_s = window_s
        self.ids = {}

    def send(self, *numbers):
        """Sends the ids, each of which must be ok. Returns the last window."""
        for number in numbers:
            answer = self.responder.ask(accept(number))
            assert answer.body == b"ok", answer
            window = epoch(answer.headers["verve-window"])
            self.ids.setdefault(window, set()).add(number)
        return max(self.ids)

    def count(self, window):
        return len(self.ids.get(window, ()))

    def check(self, report):
        """report is {window: count}, of all windows."""
        for window in self.ids:
            assert window in report, window
        for window, count in report.items():
            assert count == self.count(window), window
        assert_no_window_missing(report, self.window_s)
