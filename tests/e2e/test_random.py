"""The checker of tests/random: it has to find each kind of false report, in
runs that are made up here. What it says of real runs is `make test-random`."""

import sys
import time
from collections import Counter

import pytest
from harness.settings import ROOT

sys.path.insert(0, str(ROOT / "tests" / "random"))

from facts import Ask, Call, Facts, Loss, State, merge  # noqa: E402
from outages import longest_outage  # noqa: E402
from plan import CLUSTER, FAULTS, LOSSES, make_plan  # noqa: E402
from verdict import Judge  # noqa: E402

LENGTH = 10
START = 1_800_000_000
IDS = 3  # of each window


def window(n):
    return START + n * LENGTH


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def line(n, count):
    """Of window n; count None: a gap."""
    at = window(n)
    level, said, note = ("INFO", count, "") if count is not None else \
        ("WARN", "unknown", " gap")
    return (f"{stamp(at + LENGTH)}.001Z {level} Unique requests in the last "
            f"minute: {said} window={stamp(at)}Z{note}\n")


class Story:
    """Windows 0 to 3 with IDS ids each, and what is reported of them."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = Facts(LENGTH)
        self.plan = make_plan(1)
        self.plan.fsync = "everysec"
        self.calls = []
        self.logs = ""
        self.counts = {}
        for n in range(4):
            for number in range(IDS):
                self.ask(n, number)
            self.counts[n] = IDS

    def ask(self, n, number, second=2.0, callback=None, ok=True):
        start = window(n) + second
        self.facts.add(Ask(number, callback, start, start + 0.01,
                           200 if ok else 503, window(n) if ok else None))

    def lose(self, n, second=5.0, kept=(), **more):
        """All ids of window n but those kept are lost in it."""
        at = window(n) + second
        counts = {window(m): IDS for m in range(n)}
        counts[window(n)] = len(kept)
        state = State(at, at, at, ids={window(n): set(kept),
                                       window(n - 1): set(range(IDS))},
                      counts=counts, recorded=window(n - 1))
        self.facts.losses.append(Loss("flushall", at, at + 0.1, state,
                                      window(n - 1), {"file": window(n - 1)},
                                      **more))

    def judge(self, *texts):
        """What is wrong; texts: of files, if not that of the counts."""
        texts = texts or ["".join(line(*item)
                                  for item in self.counts.items())]
        files = []
        for i, text in enumerate(texts):
            path = self.folder / f"{i}" / "unique.log"
            path.parent.mkdir()
            path.write_text(text)
            files.append(path)
        self.findings = Judge(self.facts, self.plan).judge(
            files, set(), self.calls, self.logs)
        return "\n".join(self.findings.wrong)


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_a_right_report(story):
    assert story.judge() == ""
    assert story.findings.windows == 4


def test_a_count_that_is_too_low(story):
    story.counts[2] -= 1
    assert "has 2, and 3 ids were ok" in story.judge()


def test_a_count_that_is_too_high(story):
    story.counts[2] += 1
    assert "twice" in story.judge()


def test_a_failed_request_may_have_counted(story):
    story.ask(2, 77, ok=False)
    story.counts[2] += 1
    assert story.judge() == ""
    assert story.findings.windows == 4


def test_the_keys_tell_whether_it_has(story):
    story.ask(2, 77, ok=False)
    after = window(3) + 0.5
    story.facts.samples[window(2)] = State(
        after, after, after, window(2), ids={window(2): {0, 1, 2}})
    story.counts[2] += 1
    assert "keys of 3 ids" in story.judge()
    # Unless Redis lost what was not acknowledged, before it was recorded.
    story.lose(3, kept=range(IDS))
    story.facts.losses[0].written = {"file": window(1)}
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert story.judge() == ""


def test_keys_that_were_lost_after_a_file_had_the_window(story):
    """The replica that took over had but two of the ids."""
    after = window(3) + 0.5
    story.lose(3, kept=range(IDS), second=0.2)
    story.facts.samples[window(2)] = State(
        after, after, after, window(2), ids={window(2): {0, 1}})
    assert story.judge() == ""
    story.facts.losses[0].down = story.facts.losses[0].up = after + 0.1
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert "keys of 2 ids" in story.judge()


@pytest.mark.parametrize("order,words", [
    ((0, 1, 3), "missing"), ((0, 1, 2, 2, 3), "doubled"),
    ((0, 2, 1, 3), "order"), ((1, 2, 3), "begins at"), ((), "begins at")])
def test_windows_that_are_not_in_order(story, order, words):
    assert words in story.judge("".join(line(n, IDS) for n in order))


def test_a_line_of_another_form(story):
    text = "".join(line(n, IDS) for n in range(4))
    assert "not a line" in story.judge(text + "something else\n")


def test_files_that_differ(story):
    lines = [line(n, IDS) for n in range(4)]
    other = [*lines[:3], line(3, None)]
    assert "in another file" in story.judge("".join(lines), "".join(other))


def test_a_file_that_had_written_before_its_record_was_lost(story):
    lines = [line(n, IDS) for n in range(4)]
    story.lose(3, second=0.5)
    loss = story.facts.losses[0]
    loss.state.recorded, loss.written = window(1), {"0": window(2), "1": 0}
    other = [*lines[:2], line(2, None), line(3, None)]
    assert story.judge("".join([*lines[:3], other[3]]), "".join(other)) == ""


def test_a_gap_without_a_loss(story):
    story.counts[2] = None
    assert "nothing of it was lost" in story.judge()


def test_a_loss_that_lost_nothing_is_no_reason(story):
    story.lose(2, kept=range(IDS))
    story.counts[2] = None
    assert "nothing of it was lost" in story.judge()


def test_a_gap_after_a_loss(story):
    story.lose(2)
    story.counts[2] = None
    assert story.judge() == ""
    assert (story.findings.gaps, story.findings.lost) == (1, 1)


def test_the_gap_of_another_window(story):
    story.lose(2)
    story.counts[2] = story.counts[0] = None
    assert f"{window(0)} is a gap" in story.judge()


def test_a_loss_without_a_gap(story):
    story.lose(2, kept=[0])
    story.counts[2] = 1
    assert "(lost by: flushall)" in story.judge()


def test_a_lost_id_that_came_again(story):
    story.lose(2, kept=[0, 1])
    story.ask(2, 2, second=7.0)
    assert story.judge() == ""


def test_one_loss_is_no_reason_for_later_gaps(story):
    story.lose(1, kept=[])
    story.counts[1] = None
    story.lose(3, kept=range(IDS))
    story.counts[3] = None
    assert f"{window(3)} is a gap" in story.judge()


def test_a_repeated_id_that_may_be_lost(story):
    """The id is there; whether since it was ok again, nobody can tell."""
    story.lose(2, kept=range(IDS))
    story.ask(2, 0, second=3.0)
    story.counts[2] = None
    assert story.judge() == ""
    assert (story.findings.lost, story.findings.apart) == (0, 1)
    # A new id that came later is there, so that this one is there, too.
    story.ask(2, 7, second=4.0)
    story.facts.losses[0].state.ids[window(2)].add(7)
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert "nothing of it was lost" in story.judge()


def test_a_gap_as_nobody_remembers(story):
    story.facts.silences.append((window(2) + 4.0, window(9)))
    story.facts.restarts.append(window(2) + 5.0)
    story.counts[2] = None
    assert story.judge() == ""
    assert story.findings.apart == 1
    story.plan.fsync = "always"
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert "nothing of it was lost" in story.judge()


def test_an_answer_with_another_window(story):
    story.facts.asks[0].window = window(2)
    assert "was not on" in story.judge()


def test_ok_without_the_replica(story):
    story.lose(2, replicated=True)
    story.counts[2] = None
    assert "without the replica" in story.judge()


def test_a_callback_that_was_never_made(story):
    story.ask(1, 1, callback=7)
    assert "callback 7 was never made" in story.judge()


@pytest.mark.parametrize("count,words", [(0, "at most"), (4, "at most"),
                                         (2, "repeated as")])
def test_a_callback_with_a_false_count(story, count, words):
    story.ask(1, 1, callback=7)
    story.calls = [Call(7, "job", window(1), 3), Call(7, "job", window(1), 3)]
    assert story.judge() == ""
    story.calls[1].count = count
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert words in story.judge()


def test_a_lost_callback_needs_an_error(story):
    story.lose(2)
    story.ask(2, 1, callback=7)
    story.counts[2] = None
    assert "no error says so" in story.judge()
    story.logs = 'ts=2026 level=error msg="x" callbacks=1'
    story.folder = story.folder / "again"
    story.folder.mkdir()
    assert story.judge() == ""


def test_a_seed_is_a_plan():
    assert make_plan(7) == make_plan(7) != make_plan(8)
    assert {step.fault for step in make_plan(7, ["blip"]).steps} == {"blip"}
    chosen = Counter(step.fault for seed in range(300)
                     for step in make_plan(seed).steps)
    assert set(chosen) >= set(FAULTS) > set(LOSSES)


def test_a_seed_is_a_plan_of_a_cluster():
    plans = [make_plan(seed, (), "cluster") for seed in range(100)]
    assert plans[7] == make_plan(7, (), "cluster") != plans[8]
    assert {plan.topology for plan in plans} == {"cluster"}
    assert {step.fault for plan in plans for step in plan.steps} == set(CLUSTER)


def test_the_state_of_shards():
    one = State(1.0, 2.0, 1.5, 20, ids={20: {1}}, counts={20: 1}, jobs={7})
    other = State(2.0, 3.0, 99.0, 10, ids={20: {2}, 30: {3}},
                  counts={20: 1, 30: 1}, jobs={8})
    assert merge([one, other], 10) == State(
        1.0, 3.0, 99.0, 10, 10, ids={20: {1, 2}, 30: {3}},
        counts={20: 2, 30: 1}, jobs={7, 8})


def test_the_longest_time_without_an_ok():
    asks = [Ask(1, None, at, at + 0.1, window=60 if ok else None)
            for at, ok in ((1, True), (2, False), (3, True), (9, True))]
    assert longest_outage(asks, 1.0, 2.5) == 2.0
    assert longest_outage(asks[2:], 3.0, 4.0) is None
