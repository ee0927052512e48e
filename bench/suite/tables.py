"""Results as Markdown."""

import os
import platform
import statistics

from .measure import parts
from .pairs import (FULL_AIM, LEAST_SLICES, OPEN_TARGETS, TARGETS, interval,
                    ratios)
from .systems import PARTS

WORDS = {"cpu_us": "server CPU a request", "requests_per_s": "requests/s",
         "redis_us": "Redis's CPU, us a request", "p99_us": "p99",
         "behind_us": "CPU of service and Redis a request"}
PARTS_WORDS = "web + service + Redis"


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def failed(runs):
    return sum(sum(run["failed"].values()) for run in runs)


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def head(*names):
    """The first column is text, the others are numbers."""
    return [row(names), row(["---"] + ["---:"] * (len(names) - 1))]


def median_parts(runs):
    """Medians of the parts of the CPU time; their sum is not quite the median
    of the whole."""
    return parts({f"{part}_us": median(runs, f"{part}_us") for part in PARTS})


def spread(runs, key):
    """Half of the interquartile range, in percent of the median."""
    values = [run[key] for run in runs]
    if len(values) < 2:
        return "-"  # one run has no spread
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{50 * (high - low) / statistics.median(values):.0f} %"


def systems(runs):
    lines = head("system", "requests/s", "±", "server CPU, us a request", "±",
                 PARTS_WORDS, "p50, ms", "p99, ms", "p99.9, ms",
                 "peak memory, MB", "failed")
    for name, own in runs.items():
        lines.append(row([
            name, f"{median(own, 'requests_per_s'):,.0f}",
            spread(own, 'requests_per_s'),
            f"{median(own, 'cpu_us'):.1f}", spread(own, 'cpu_us'),
            median_parts(own),
            *(f"{median(own, key) / 1000:.1f}"
              for key in ("p50_us", "p99_us", "p999_us")),
            f"{median(own, 'peak_mb'):,.0f}", failed(own)]))
    return lines


def ratio_cell(values):
    low, high = interval(values)
    return f"{statistics.median(values):.2f} ({low:.2f} to {high:.2f})"


def pairs(rows):
    lines = head("one system / another", "load", "connections", "requests/s",
                 "server CPU a request", "p99")
    for pair in rows:
        lines.append(row([
            f"{pair['a']} / {pair['b']}", pair["load"], pair["connections"],
            *(ratio_cell(ratios(pair, key))
              for key in ("requests_per_s", "cpu_us", "p99_us"))]))
    return lines


def before(rows):
    """This build and the one before, of each system."""
    lines = head("system", "connections", "requests/s, before", "now", "ratio",
                 "server CPU, us a request, before", PARTS_WORDS, "now",
                 PARTS_WORDS, "ratio", "p99, ratio")
    for pair in rows:
        now, old = pair["runs"]
        lines.append(row([
            pair["a"], pair["connections"],
            *(f"{median(runs, 'requests_per_s'):,.0f}" for runs in (old, now)),
            ratio_cell(ratios(pair, "requests_per_s")),
            *(cell for runs in (old, now)
              for cell in (f"{median(runs, 'cpu_us'):.1f}",
                           median_parts(runs))),
            ratio_cell(ratios(pair, "cpu_us")),
            ratio_cell(ratios(pair, "p99_us"))]))
    return lines


def shards(rows):
    """Three shards and one Redis: without the web server, which is the same."""
    lines = head("three shards / one Redis", "connections",
                 "ids in a script, three", "one",
                 "service + Redis, us a request, three", "one", "ratio",
                 "requests/s, ratio", "p99, ratio")
    for pair in rows:
        lines.append(row([
            f"{pair['a']} / {pair['b']}", pair["connections"],
            *(f"{median(runs, 'ids_per_script'):.1f}" for runs in pair["runs"]),
            *(f"{median(runs, 'behind_us'):.1f}" for runs in pair["runs"]),
            *(ratio_cell(ratios(pair, key))
              for key in ("behind_us", "requests_per_s", "p99_us"))]))
    return lines


def full(rows):
    """The same in full batches; what is aimed at is FULL_AIM at most."""
    lines = head("three shards / one Redis", "ids in a script, three", "one",
                 "service + Redis, us an id, three", "one", "ratio",
                 f"at most {FULL_AIM}")
    for pair in rows:
        three, one = pair["runs"]
        lines.append(row([
            f"{pair['a']} / {pair['b']}",
            *(f"{median(runs, 'ids_per_script'):.1f}" for runs in (three, one)),
            *(" + ".join(f"{median(runs, key):.2f}"
                         for key in ("service_us", "redis_us"))
              for runs in (three, one)),
            ratio_cell(ratios(pair, "behind_us")),
            verdict(ratios(pair, "behind_us"), "<=", FULL_AIM)]))
    return lines


def verdict(values, sign, wanted):
    """Undecided if the interval contains the aim, or if there is none."""
    low, high = interval(values)
    if len(values) < LEAST_SLICES or low <= wanted <= high:
        return "undecided"
    return "met" if (low > wanted) == (sign == ">=") else "missed"


def target(what, key, bound, own, other):
    """One line; other is None for a figure that is no ratio."""
    values = [run[key] for run in own]
    whole = statistics.median(values)
    if other:
        values = [x[key] / y[key] for x, y in zip(own, other)]
        whole /= median(other, key)
    return row([what, " ".join(map(str, bound)), f"{whole:.2f}",
                ratio_cell(values), verdict(values, *bound)])


def targets(rows):
    lines = head("what was wanted", "", "ratio of medians",
                 "median of ratios", "")
    for load, connections, key, a, b, sign, wanted in TARGETS:
        for pair in rows:
            if (pair["load"], pair["connections"], pair["a"]) != (
                    load, connections, a) or b not in (None, pair["b"]):
                continue
            lines.append(target(
                f"{load}, {connections} connections, {WORDS[key]}: {a}"
                + (f" / {b}" if b else ""),
                key, (sign, wanted), pair["runs"][0], b and pair["runs"][1]))
            break
    return lines


def open_targets(runs):
    """If there are fewer rounds than LEAST_SLICES, all are undecided."""
    lines = head("what was wanted", "", "ratio of medians",
                 "median of ratios", "")
    for key, a, b, sign, wanted in OPEN_TARGETS:
        if a in runs and b in runs:
            lines.append(target(f"{WORDS[key]}: {a} / {b}", key, (sign, wanted),
                                runs[a], runs[b]))
    return lines


def connections(by_connections):
    """Two tables: speed and whole CPU time, and the parts of that."""
    counts = list(by_connections)
    names = by_connections[counts[0]]
    heads = [f"{count} connections" for count in counts]
    lines = head("requests/s (us of CPU a request)", *heads)
    for name in names:
        lines.append(row([name] + [
            f"{median(by_connections[count][name], 'requests_per_s'):,.0f} "
            f"({median(by_connections[count][name], 'cpu_us'):.0f})"
            for count in counts]))
    lines += ["", *head(f"us of CPU a request: {PARTS_WORDS}", *heads)]
    for name in names:
        lines.append(row([name] + [median_parts(by_connections[count][name])
                                   for count in counts]))
    return lines


def memory(rows):
    lines = head("strategy", "ids in the window", "in the one before",
                 "bits of an id",
                 "counted", "bytes of Redis an id", "us of Redis an id",
                 "us an id, with the way there")
    for cell in rows:
        lines.append(row([
            cell["strategy"], f"{cell['ids']:,}", f"{cell['before']:,}",
            cell["bits"],
            f"{cell['counted']:,}", f"{cell['bytes_per_id']:.1f}",
            f"{cell['redis_us_per_id']:.2f}",
            f"{cell['wall_us_per_id']:.2f}"]))
    return lines


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def machine():
    """The machine, as text."""
    with open("/proc/meminfo", encoding="ascii") as info:
        gigabytes = int(info.readline().split()[1]) / 2 ** 20
    return (f"{os.cpu_count()} cores ({processor()}) shared with the load "
            f"generator, {gigabytes:.0f} GB, {platform.system()} "
            f"{platform.release()}")
