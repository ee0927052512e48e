"""Results as Markdown."""

import os
import platform
import statistics

# What has to be shown: load, what, of which system, to which, at most or at
# least, how much.
TARGETS = [
    ("unique", "cpu_us", "setnx", "gin, go-redis", "<=", 0.75),
    ("unique", "cpu_us", "set", "gin, go-redis", "<=", 0.65),
    ("unique", "requests_per_s", "setnx", "ceiling", ">=", 0.75),
    ("unique", "requests_per_s", "set", "ceiling", ">=", 0.85),
    ("zipf", "requests_per_s", "setnx", "ceiling", ">=", 0.93),
]
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


def ratios(runs, a, b, key):
    """Of a to b, each within its round."""
    return [x[key] / y[key] for x, y in zip(runs[a], runs[b])]


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


def target_rows(loads):
    lines = head("ratio of medians", "measured", "least", "most", "wanted", "")
    for load, key, a, b, sign, wanted in TARGETS:
        runs = loads.get(load, {})
        if a not in runs or b not in runs:
            lines.append(row([f"{load}: {a} / {b}", "not measured", "", "",
                              f"{sign} {wanted}", ""]))
            continue
        ratio = median(runs[a], key) / median(runs[b], key)
        each = ratios(runs, a, b, key)
        met = ratio <= wanted if sign == "<=" else ratio >= wanted
        lines.append(row([
            f"{load}, {WORDS[key]}: {a} / {b}", f"{ratio:.2f}",
            f"{min(each):.2f}", f"{max(each):.2f}", f"{sign} {wanted}",
            "met" if met else "missed"]))
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
    lines = head("strategy", "ids in the window", "bits of an id",
                 "counted", "bytes of Redis an id", "us of Redis an id",
                 "us an id, with the way there")
    for cell in rows:
        lines.append(row([
            cell["strategy"], f"{cell['ids']:,}", cell["bits"],
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
