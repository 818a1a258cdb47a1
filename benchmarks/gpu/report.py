"""Ratios, goals and tables of a run, as JSON and Markdown."""

import json
import math

import plan

_HOST_GOAL = 8.0


# ===-- A row's numbers; None where it lacks what they are made of -------------===#


def _best(row, prefix):
    """(seconds, name) of the best whose name begins so."""
    return min(
        ((t["best"], name) for name, t in row["timings"].items() if name.startswith(prefix)),
        default=None,
    )


def _over(peer):
    """How much faster we are than the best such peer."""

    def ratio(row):
        ours, other = _best(row, "tsgu"), _best(row, peer)
        return other[0] / ours[0] if ours and other else None

    return ratio


def _backward(row, name):
    """Seconds that the gradients add to the forward pass."""
    both, forward = _best(row, name), _best(row, f"forward of {name}")
    return both[0] - forward[0] if both and forward and both > forward else None


def _backward_over_torch(row):
    ours, other = _backward(row, "tsgu"), _backward(row, "torch")
    return other / ours if ours and other else None


def _backward_over_forward(row):
    backward = _backward(row, "tsgu")
    return backward / _best(row, "forward of tsgu")[0] if backward else None


# section -> [(goal, number of a row, bound of the geometric mean, of the worst)]: at least so much
_GOALS = {
    "spmm": [
        ("over the best of cuSPARSE", _over("cusparse"), 1.25, 0.95),
        ("over torch", _over("torch"), 1.5, 0.95),
    ],
    "sddmm": [
        ("over torch", _over("torch"), None, None),
        ("over cuSPARSE", _over("cusparse"), None, None),
    ],
    "training": [
        ("forward and backward over torch's autograd", _over("torch"), 3.0, None),
        ("backward alone over torch's autograd", _backward_over_torch, 3.0, None),
    ],
    "softmax": [("over a composition in torch", _over("torch"), None, None)],
    "batched": [("over the best of torch", _over("torch"), None, None)],
}
# The same, at most so much.
_COSTS = {"training": [("backward in forwards", _backward_over_forward, 2.2, 2.2)]}


# ===-- Goals -----------------------------------------------------------------===#


def _judge(value, bound, trust, above=True):
    """`trust`: None, or why the value is judged so whatever it is."""
    if bound is None:
        return ""
    met = value >= bound if above else value <= bound
    return f" ({trust or ('met' if met else 'MISSED')}: {'>=' if above else '<='} {bound:g})"


def _goal(section, rows, text, number, mean_bound, worst_bound, above=True):
    values = [value for row in rows if (value := number(row)) is not None]
    count = f"{len(values)} of {plan.CASES[section]} cases"
    trust = "not judged" if len(values) < plan.CASES[section] else None
    if any("wrong" in row for row in rows):
        trust = "MISSED, results are WRONG"
    if not values:
        return f"- {text}: {trust or 'no numbers'}, {count}"
    mean = math.exp(sum(map(math.log, values)) / len(values))
    worst = min(values) if above else max(values)
    return (
        f"- {text}: {mean:.2f}x in the geometric mean{_judge(mean, mean_bound, trust, above)}, "
        f"{worst:.2f}x at worst{_judge(worst, worst_bound, trust, above)}, {count}"
    )


def _summary(section, rows):
    lines = [_goal(section, rows, *goal) for goal in _GOALS[section]]
    return lines + [_goal(section, rows, *cost, above=False) for cost in _COSTS.get(section, ())]


# ===-- Tables ----------------------------------------------------------------===#


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _ratio_text(row, peer):
    """The ratio, and which peer it is of if there are several."""
    if (ratio := _over(peer)(row)) is None:
        return "-"
    several = sum(name.startswith(peer) for name in row["timings"]) > 1
    which = _best(row, peer)[1].removeprefix(peer) if several else ""
    return f"{ratio:.2f}{which}"


def _fraction(row, roof, cache):
    """Of the roof of memory, for operands that come from there."""
    if not row["bytes"] or not roof or "tsgu" not in row["timings"]:
        return ""
    if row["bytes"] < cache:
        return "in L2"
    return f"{row['bytes'] / row['timings']['tsgu']['best'] / roof:.2f}"


def _timed_section(section, rows, results):
    names = list(dict.fromkeys(name for row in rows for name in row["timings"]))
    peers = [p for p in ("torch", "cusparse") if any(name.startswith(p) for name in names)]
    body = []
    for row in rows:
        best = {name: timing["best"] for name, timing in row["timings"].items()}
        times = [f"{1e3 * best[name]:.4g}" if name in best else "-" for name in names]
        ratios = [_ratio_text(row, peer) for peer in peers]
        case = row["case"] + (" WRONG" if "wrong" in row else "")
        body.append([case, *times, *ratios, _fraction(row, results["roof"], results["L2"])])
    header = ["milliseconds", *names, *(f"over {peer}" for peer in peers), "of the roof"]
    return [*_summary(section, rows), "", *_table(header, body)]


def _left_out(rows):
    """Each reason once, with the cases it holds for."""
    reasons = {}
    for row in rows:
        for name, why in row["errors"].items():
            reasons.setdefault((name, why), []).append(row["case"])
    return [f"- left out: {name}: {why} ({', '.join(of)})" for (name, why), of in reasons.items()]


def _host_section(rows):
    costs = {row["case"]: row["microseconds"] for row in rows if "microseconds" in row}
    lines = []
    if (forward := costs.get("tsgu: forward")) is not None:
        judged = _judge(forward, _HOST_GOAL, None, above=False)
        lines = [f"- a call costs the host {forward:.1f} us{judged}", ""]
    return lines + _table(
        ["microseconds", "of the host"], [[c, f"{t:.2f}"] for c, t in costs.items()]
    )


# ===-- The page --------------------------------------------------------------===#


def _checks(checks):
    failed = [(name, why) for name, why in checks if why]
    yield f"- checks: {len(checks) - len(failed)} passed, {len(failed)} failed"
    yield from (f"  - {name}: {why}" for name, why in failed)


def page(results):
    """The results as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = ["# tsgu on a GPU", "", f"{results['device']}; {versions}; {results['date']}, "]
    lines[-1] += f"{results['seconds']:.0f} s."
    lines.append("")
    if results["checks"] is not None:
        lines += _checks(results["checks"])
    if results["roof"]:
        lines.append(f"- memory roof, a copy: {results['roof'] / 1e9:.0f} GB/s")
    lines += [f"- ended early: {part}: {why}" for part, why in results["ended"].items()]
    lines.append("")
    for section, rows in results["sections"].items():
        lines += [f"## {section}", ""]
        body = _host_section(rows) if section == "host" else _timed_section(section, rows, results)
        lines += [*body, *_left_out(rows), ""]
    return "\n".join(lines)


def failed(results):
    """Whether anything ended early, failed a check, or computed something else than its peers."""
    rows = [row for rows in results["sections"].values() for row in rows]
    return (
        bool(results["ended"])
        or any(why for _, why in results["checks"] or ())
        or any("wrong" in row or "tsgu" in row["errors"] for row in rows)
    )


def write(results, folder):
    """gpu.json and GPU.md in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "GPU.md").write_text(page(results))
