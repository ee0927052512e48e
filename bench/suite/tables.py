"""Results as Markdown."""

import os
import platform
import statistics

from .pairs import LEAST_SLICES, TARGETS, interval, ratios

WORDS = {"cpu_us": "server CPU a request", "requests_per_s": "requests/s"}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def failed(runs):
    return sum(sum(run["failed"].values()) for run in runs)


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def head(*names):
    """The first column is text, the others are numbers."""
    return [row(names), row(["---"] + ["---:"] * (len(names) - 1))]


def spread(runs, key):
    """Half of what lies between the quartiles, in percent of the median."""
    values = [run[key] for run in runs]
    if len(values) < 2:
        return "-"  # once is no spread
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{50 * (high - low) / statistics.median(values):.0f} %"


def systems(runs):
    lines = head("system", "requests/s", "±", "server CPU, us a request", "±",
                 "p50, ms", "p99, ms", "p99.9, ms", "peak memory, MB",
                 "failed")
    for name, own in runs.items():
        lines.append(row([
            name, f"{median(own, 'requests_per_s'):,.0f}",
            spread(own, 'requests_per_s'),
            f"{median(own, 'cpu_us'):.1f}", spread(own, 'cpu_us'),
            *(f"{median(own, key) / 1000:.1f}"
              for key in ("p50_us", "p99_us", "p999_us")),
            f"{median(own, 'peak_mb'):,.0f}", failed(own)]))
    return lines


def ratio_cell(pair, key):
    values = ratios(pair, key)
    low, high = interval(values)
    return f"{statistics.median(values):.2f} ({low:.2f} to {high:.2f})"


def pairs(rows):
    lines = head("load: one system / another", "requests/s",
                 "server CPU a request", "p99")
    for pair in rows:
        lines.append(row([
            f"{pair['load']}: {pair['a']} / {pair['b']}",
            *(ratio_cell(pair, key)
              for key in ("requests_per_s", "cpu_us", "p99_us"))]))
    return lines


def verdict(values, sign, wanted):
    """Undecided, where the interval has what was wanted in it, or is none."""
    low, high = interval(values)
    if len(values) < LEAST_SLICES or low <= wanted <= high:
        return "undecided"
    return "met" if (low > wanted) == (sign == ">=") else "missed"


def targets(rows):
    lines = head("what was wanted", "", "ratio of medians",
                 "median of ratios", "")
    for load, key, a, b, sign, wanted in TARGETS:
        for pair in rows:
            if (pair["load"], pair["a"], pair["b"]) == (load, a, b):
                own, other = pair["runs"]
                lines.append(row([
                    f"{load}, {WORDS[key]}: {a} / {b}", f"{sign} {wanted}",
                    f"{median(own, key) / median(other, key):.2f}",
                    ratio_cell(pair, key),
                    verdict(ratios(pair, key), sign, wanted)]))
    return lines


def connections(by_connections):
    counts = list(by_connections)
    lines = head("requests/s (us of CPU a request)",
                 *(f"{count} connections" for count in counts))
    for name in by_connections[counts[0]]:
        lines.append(row([name] + [
            f"{median(by_connections[count][name], 'requests_per_s'):,.0f} "
            f"({median(by_connections[count][name], 'cpu_us'):.0f})"
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
    """Where the numbers come from."""
    with open("/proc/meminfo", encoding="ascii") as info:
        gigabytes = int(info.readline().split()[1]) / 2 ** 20
    return (f"{os.cpu_count()} cores ({processor()}) shared with the load "
            f"generator, {gigabytes:.0f} GB, {platform.system()} "
            f"{platform.release()}")
