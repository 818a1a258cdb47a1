"""What all measurements share: the command line, facts of the run, tables, goals, the files."""

import argparse
import json
import math
import operator
from pathlib import Path

_MET = {"<=": operator.le, ">=": operator.ge}


def command_line(doc):
    """A parser of --mode and --build, whose description is the first line of `doc`."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--mode", choices=["full", "quick"], default="full")
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[1] / "build")
    return parser


def mean(ratios):
    """Geometric."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def milliseconds(timing):
    few = "" if timing["samples"] >= 20 else f" ({timing['samples']})"
    return f"{1e3 * timing['best']:.3g} / {1e3 * timing['median']:.3g}{few}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def judged(goals, digits=".2f"):
    """(goal, wanted, found, met) for each (goal, values, relation, bound, summary) with values."""
    rows = []
    for goal, values, relation, bound, summary in goals:
        if values:
            found = summary(values)
            met = "yes" if _MET[relation](found, bound) else "no"
            rows.append((goal, f"{relation} {bound:g}", f"{found:{digits}}", met))
    return rows


def goals_table(goals):
    return table(["goal", "wanted", "found", "met"], goals)


def facts(results):
    """The first paragraph of a page, from measure.Run."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    absent = "".join(f" Left out: {reason}." for reason in results["absent"])
    return f"""\
`make bench` on {results["date"]}: {results["cpu"]}, {results["cores"]} cores; {versions}.{absent}
Other processes took {100 * results["other_load"]:.0f} % of the machine meanwhile; the run took
{results["seconds"] / 60:.0f} minutes.
"""


def write(name, results, page, goals, folder):
    """NAME.md and name.json; prints the goals."""
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name.upper()}.md").write_text(page)
    print(goals_table(goals))
    print(f"written: {folder / f'{name.upper()}.md'} and {name}.json")
