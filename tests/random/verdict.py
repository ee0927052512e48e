"""Whether the files of a run tell the truth, by its facts alone.

Of each window that clients were told `ok` for (its ids are "acknowledged"):
a file has one line of it, in order, and the number is at least that of the ids
acknowledged and at most that of the ids that may have been counted, namely
those too whose requests failed at about that time; or the line is a gap, and
Redis had lost ids of that window, or the window was on at that moment. Some
gaps are counted apart, as there was another loss, or nobody who could tell, or
only repeated ids were lost, which had been counted before: a responder that was
told "counted already" does not know since when. If
Redis's keys were seen between the window's sealing and their end, the number is
that of the keys.
"""

import re
from dataclasses import dataclass, field

from facts import window_at
from report import read_lines

NOTICED_S = 3.0  # after a restart: nobody is waited for any longer
HANG_S = 5.0     # a command that Redis gets after its client gave up
SLACK_S = 1.0
KEEP_ALL = {"kill-redis"}  # what was ok is in the file
CACHE_S = 0.3    # an id that is remembered; a bit more than redis.timeout_ms


@dataclass
class Findings:
    wrong: list = field(default_factory=list)
    windows: int = 0
    gaps: int = 0    # windows that are a gap
    lost: int = 0    # windows of which acknowledged ids were lost
    apart: int = 0   # gaps for safety: none of their own ids was lost
    callbacks_lost: int = 0

    def add(self, text):
        self.wrong.append(text)


def last_written(loss):
    """The last window that was recorded and in each file."""
    return min([loss.recorded, *loss.written.values()])


def missing_ids(facts, loss, present):
    """{window: ids} out of those present before that are not in the new data.
    Keys of ids end after two windows by themselves: from then on only the
    counts tell."""
    missing = {}
    for window, ids in present.items():
        gone = ids - loss.state.ids.get(window, set())
        kept = loss.state.at_redis < window + 2 * facts.window_s - 0.05
        if gone and (kept or
                     loss.state.counts.get(window, 0) < len(ids)):
            missing[window] = gone
    return missing


def losses(facts):
    """[(Loss, missing_ids)] in their order. What a loss has taken is present
    before the next only if it was acknowledged again."""
    asks = sorted((ask for ask in facts.asks if ask.ok),
                  key=lambda ask: ask.end)
    present, found, at = {}, [], 0
    up = 0.0
    for loss in facts.losses:
        while at < len(asks) and asks[at].end < loss.down:
            ask = asks[at]
            if ask.start >= up:
                present.setdefault(ask.window, set()).add(ask.number)
            at += 1
        missing = missing_ids(facts, loss, present)
        for window, ids in missing.items():
            present[window] = present[window] - ids
        found.append((loss, missing))
        up = loss.up
    return found


def unsure_windows(facts, loss):
    """The windows of ids that were ok again after the last new id that is in
    the new data: that answer may be missing, and the id is not."""
    if loss.fault in KEEP_ALL:
        return set()
    asks = sorted((ask for ask in facts.asks if ask.ok and
                   ask.end < loss.down), key=lambda ask: ask.end)
    counted, again, kept_until = set(), [], 0.0
    for ask in asks:
        if (ask.window, ask.number) in counted:
            again.append(ask)
        elif ask.number in loss.state.ids.get(ask.window, ()):
            kept_until = max(kept_until, ask.start)
        counted.add((ask.window, ask.number))
    return {ask.window for ask in again if ask.end >= kept_until and
            ask.window > last_written(loss)}


class Judge:
    def __init__(self, facts, plan):
        self.facts = facts
        self.plan = plan
        self.length = facts.window_s
        self.known = facts.acknowledged()
        self.missing = losses(facts)
        self.unsure = {id(loss): unsure_windows(facts, loss)
                       for loss in facts.losses}
        self.findings = Findings()
        self.findings.lost = len({window for loss, missing in self.missing
                                  for window in missing
                                  if window > last_written(loss)})
        self.possible = self.possible_ids()
        self.numbers = {}
        self.apart = set()

    # What a count may be.

    def windows_of(self, start, end):
        """The windows that may have been on between two moments."""
        clock = self.facts.clock
        first = window_at(clock.earliest(start, end), self.length)
        last = window_at(clock.latest(end), self.length)
        if len(clock.steps) > 1:  # the next is on early
            last += self.length
        return range(first, last + 1, self.length)

    def possible_ids(self):
        """{window: ids} whose requests failed but may have counted."""
        possible = {}
        for ask in self.facts.asks:
            if ask.ok:
                continue
            end = (ask.end or ask.start) + HANG_S
            for window in self.windows_of(ask.start, end):
                possible.setdefault(window, set()).add(ask.number)
        return possible

    def bounds(self, window):
        known = set(self.known.get(window, ()))
        return len(known), len(known | self.possible.get(window, set()))

    def exact(self, window):
        """How many ids it has by Redis's own keys; None: not known. They were
        looked at too late if a loss came before, though a file had it."""
        sample = self.facts.samples.get(window)
        if sample is None:
            return None
        begun = min((ask.start for ask in self.facts.asks
                     if ask.window == window), default=sample.begun)
        begun -= 2 * self.length
        if self.facts.clock.stepped(begun, sample.at) or any(
                loss.up > begun and (window > last_written(loss)
                                     or sample.at > loss.down)
                for loss in self.facts.losses):
            return None
        return len(sample.ids[window])

    # Whether a gap has a reason.

    def on_at(self, moment):
        """The last window that may have been on then."""
        return self.windows_of(moment, moment)[-1]

    def reason_by_loss(self, loss, missing, window):
        """Why a window may be a gap after a loss; "": it may not."""
        last = self.on_at(max(loss.up, loss.seen))
        if loss.forward_s:  # what its clock showed was no time
            last = window_at(loss.state.at_redis, self.length) + self.length
        unwritten = [lost for lost in missing if lost > last_written(loss)]
        if window in missing or (
                unwritten and self.on_at(loss.down) <= window <= last):
            return "lost"
        records = loss.state.recorded < loss.recorded
        first = last_written(loss) + 1 if records else \
            min(unwritten, default=last + 1)
        if (records or unwritten) and first <= window <= last:
            return "apart"
        unsure = self.unsure[id(loss)]
        if window in unsure or (
                unsure and self.on_at(loss.down) <= window <= last):
            return "apart"
        if loss.forward_s >= 2 * self.length - 1 and \
                self.on_at(loss.down) - self.length <= window <= last:
            return "apart"
        return ""

    def nobody_remembers(self, window):
        """A gap for safety: Redis was restarted, and a responder that may have
        been told more was killed before, or could not tell in time."""
        if self.plan.fsync == "always":
            return False
        clock = self.facts.clock
        for restart in self.facts.restarts:
            end = restart + NOTICED_S
            for begun, over in self.facts.silences:
                if begun < end and over > restart:
                    since = min(begun, restart)
                    first = clock.earliest(since, since) - 3 * self.length
                    if first < window < clock.latest(end) + self.length:
                        return True
        return False

    def reason_of_gap(self, window):
        reasons = {self.reason_by_loss(loss, missing, window)
                   for loss, missing in self.missing}
        if "lost" in reasons:
            return "lost"
        apart = "apart" in reasons or self.nobody_remembers(window)
        return "apart" if apart else ""

    # The judgement.

    def check_answers(self):
        """Each ok names a window that was on between request and answer."""
        for ask in self.facts.asks:
            if not ask.ok:
                continue
            windows = self.windows_of(ask.start - SLACK_S, ask.end + SLACK_S)
            if ask.window not in windows:
                self.findings.add(
                    f"id {ask.number} asked at {ask.start:.3f}, answered at "
                    f"{ask.end:.3f}: window {ask.window} was not on")

    def check_file(self, path, newcomer):
        lines, wrong = read_lines(path)
        name = path.parent.name
        for text in wrong:
            self.findings.add(f"{name}: {text}")
        windows = [line.window for line in lines]
        for one, next_one in zip(windows, windows[1:]):
            if next_one != one + self.length:
                what = ("out of order or doubled" if next_one <= one
                        else "windows are missing")
                self.findings.add(f"{name}: {next_one} after {one}: {what}")
        if self.known and not newcomer and (
                not windows or windows[0] > min(self.known)):
            self.findings.add(
                f"{name}: begins at {windows[0] if windows else None}, and "
                f"there are ids since {min(self.known)}")
        for line in lines:
            self.check_line(name, line, newcomer)

    def check_line(self, name, line, newcomer):
        other = self.numbers.setdefault(line.window, line.count)
        if other != line.count and not (
                None in (other, line.count) and
                self.was_forgotten(line.window)):
            self.findings.add(f"{name}: window {line.window} is {line.count} "
                              f"here and {other} in another file")
            return
        if line.count is None:
            self.check_gap(name, line.window, newcomer)
        else:
            self.check_count(name, line.window, line.count)

    def was_forgotten(self, window):
        """One file had the window when its record was lost."""
        return any(
            loss.state.recorded < window <= max(loss.written.values())
            for loss in self.facts.losses)

    def check_gap(self, name, window, newcomer):
        """A newcomer does not know what others have recorded and written."""
        reason = self.reason_of_gap(window)
        if newcomer and not reason and self.was_forgotten(window):
            reason = "apart"
        if reason == "apart":
            self.apart.add(window)
        elif not reason:
            self.findings.add(f"{name}: window {window} is a gap, and nothing "
                              "of it was lost")

    def check_count(self, name, window, count):
        least, most = self.bounds(window)
        exact = self.exact(window)
        if count < least:
            faults = {loss.fault for loss, missing in self.missing
                      if window in missing}
            self.findings.add(
                f"{name}: window {window} has {count}, and {least} ids were ok "
                f"(lost by: {', '.join(sorted(faults)) or 'nothing'})")
        elif count > most:
            self.findings.add(f"{name}: window {window} has {count}, and only "
                              f"{most} ids can have been counted: twice")
        elif exact is not None and count != exact:
            self.findings.add(f"{name}: window {window} has {count}, and "
                              f"there were keys of {exact} ids")

    def check_replicas(self):
        """With redis.wait_replicas an ok is on the replica. Soon after another
        loss it may come from a responder's memory of ids."""
        up = 0.0
        for loss, missing in self.missing:
            lost = [ask for ask in self.facts.asks if ask.ok
                    and ask.start > up + CACHE_S and ask.end < loss.down
                    and ask.number in missing.get(ask.window, ())]
            if loss.replicated and lost:
                self.findings.add("ok was said without the replica: "
                                  f"{len(lost)} times, first {lost[0]}")
            up = loss.up

    def is_remembered(self, ask, loss):
        """Whether the responder that said ok must still have been there when
        it was lost."""
        return ask.end < loss.down and not any(
            ask.start < end < loss.up + NOTICED_S for end in self.facts.ends)

    def check_calls(self, calls):
        """The count of a callback is that of its window at a moment of it."""
        told = {}
        for call in calls:
            if told.setdefault(call.job, call) != call:
                self.findings.add(f"{told[call.job]} was repeated as {call}")
            _, most = self.bounds(call.window)
            if not 1 <= call.count <= most and \
                    self.numbers.get(call.window) is not None:
                self.findings.add(f"{call}, and at most {most} ids can have "
                                  "been counted")

    def check_callbacks(self, calls, logs):
        received = {call.callback for call in calls}
        lost = 0
        for ask in self.facts.asks:
            if ask.callback is None or not ask.ok or ask.callback in received:
                continue
            if any(ask.start < loss.up and ask.callback not in loss.state.jobs
                   for loss in self.facts.losses):
                lost += any(self.is_remembered(ask, loss) and
                            ask.callback not in loss.state.jobs
                            for loss in self.facts.losses)
            else:
                self.findings.add(f"callback {ask.callback} was never made")
        self.findings.callbacks_lost = lost
        if lost and not re.search(r" level=error .* callbacks=[1-9]", logs):
            self.findings.add(f"{lost} callbacks that were ok are lost, and no "
                              "error says so")

    def judge(self, files, newcomers, calls, logs):
        """newcomers: those of the files that may begin later; logs: of all
        programs."""
        self.check_answers()
        for path in files:
            self.check_file(path, path in newcomers)
        self.check_replicas()
        self.check_calls(calls)
        self.check_callbacks(calls, logs)
        self.findings.windows = len(self.numbers)
        self.findings.apart = len(self.apart)
        self.findings.gaps = sum(count is None
                                 for count in self.numbers.values())
        return self.findings
