"""Plots, as SVG by gnuplot."""

import shutil
import subprocess

from .systems import LUA
from .tables import median

# In the plot by connections: more curves would hide each other.
CURVES = ("setnx (nginx)", "ceiling (nginx)", "setnx (lighttpd)",
          "ceiling (lighttpd)", "gin, go-redis (bare)", "gin, rueidis (bare)",
          "gin, go-redis (nginx)", LUA)
STYLE = """
set terminal svg size {size} dynamic font "sans-serif,13" background "white"
set output "{output}"
set title "{title}"
set key outside right top
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set datafile separator "\\t"
"""


def plot(output, title, commands, size="900,460"):
    script = STYLE.format(output=output, title=title, size=size) + commands
    subprocess.run(["gnuplot"], input=script.encode(), check=True)


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def bars(output, title, label, runs, key):
    lines = [f"{name}\t{median(own, key)}" for name, own in runs.items()]
    plot(output, title, block("data", lines) + f"""
unset key
set style fill solid 0.8
set boxwidth 0.7
set yrange [0:*]
set ylabel "{label}"
set xtics rotate by -45
set rmargin 14
plot $data using 0:2:xtic(1) with boxes lc rgb "#4477aa", \\
     $data using 0:2:(sprintf("%.0f", $2)) with labels offset 0,0.7 notitle
""", "1200,560")


def curves(output, title, labels, series, logs):
    """series: {name: [(x, y), ...]}"""
    blocks, curve = "", []
    for number, (name, points) in enumerate(series.items()):
        blocks += block(f"d{number}", [f"{x}\t{y}" for x, y in points])
        curve.append(f'$d{number} using 1:2 with linespoints lw 2 pt 7 ps 0.6 '
                     f'title "{name}"')
    plot(output, title, blocks + f"""
set logscale {logs}
set xlabel "{labels[0]}"
set ylabel "{labels[1]}"
plot {", ".join(curve)}
""")


def draw(folder, results):
    """Writes the plots that have results. False if gnuplot is missing."""
    if not shutil.which("gnuplot"):
        return False
    for load, runs in results.get("loads", {}).items():
        bars(folder / f"{load}-cpu.svg", f"Server CPU a request, {load}",
             "us", runs, "cpu_us")
        bars(folder / f"{load}-rate.svg", f"Requests/s, {load}",
             "requests/s", runs, "requests_per_s")
    by_connections = results.get("connections")
    if by_connections:
        names = [name for name in CURVES
                 if name in next(iter(by_connections.values()))]
        curves(folder / "connections.svg", "Requests/s by connections",
               ("connections", "requests/s"),
               {name: [(count, median(runs[name], "requests_per_s"))
                       for count, runs in by_connections.items()]
                for name in names}, "x 2")
    if results.get("memory"):
        series = {}
        for cell in sorted(results["memory"], key=lambda cell: cell["ids"]):
            if cell["before"] not in (0, cell["ids"]):
                continue
            name = f"{cell['strategy']}, {cell['bits']} bits" + (
                ", a first window" if cell["strategy"] == "set"
                and not cell["before"] else "")
            series.setdefault(name, []).append(
                (cell["ids"], cell["bytes_per_id"]))
        curves(folder / "memory.svg", "Memory of Redis an id",
               ("ids in the window", "bytes"), series, "xy")
    return True


def hostile(folder, attacks):
    """The p99 of a healthy destination under each attack, a bar for each
    build. If something was not delivered, the bar ends at the top. False if
    gnuplot is missing."""
    if not shutil.which("gnuplot"):
        return False
    builds = list(next(iter(attacks.values()), {}))
    top_s = 100
    lines = []
    for attack, runs in attacks.items():
        cells = [top_s if run["undelivered"] or run["p99_s"] is None
                 else max(run["p99_s"], 0.001) for run in runs.values()]
        lines.append("\t".join([f'"{attack}"', *map(str, cells)]))
    bar = [f'$data using {number + 2}:xtic(1) title "{name}"'
           for number, name in enumerate(builds)]
    plot(folder / "hostile.svg",
         "p99 of a healthy destination under attack; at the top: some were "
         "never delivered", block("data", lines) + f"""
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8
set logscale y
set yrange [0.001:{top_s}]
set ylabel "s"
set xtics rotate by -45
set rmargin 24
set bmargin 14
plot {", ".join(bar)}, 1 with lines lc rgb "#aa3333" title "wanted"
""", "1200,700")
    return True
