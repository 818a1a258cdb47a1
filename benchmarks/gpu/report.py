"""Ratios, goals and tables of a run, as JSON and Markdown."""

import json
import math

# section -> [(goal, peers whose best counts, bound of the geometric mean, bound of the worst)]
_GOALS = {
    "spmm": [
        ("over the best of cuSPARSE", "cusparse", 1.25, 0.95),
        ("over torch", "torch", 1.5, 0.95),
    ],
    "sddmm": [("over torch", "torch", None, None), ("over cuSPARSE", "cusparse", None, None)],
    "training": [("over torch's autograd", "torch", 3.0, None)],
    "softmax": [("over a composition in torch", "torch", None, None)],
    "batched": [("over the best of torch", "torch", None, None)],
}
_HOST_GOAL = 8.0
_BACKWARD_GOAL = 2.2


def _ratio(row, peer):
    """How much faster we are than the best peer whose name begins so; None without one."""
    others = [t["best"] for name, t in row["timings"].items() if name.startswith(peer)]
    if not others or "tsgu" not in row["timings"]:
        return None
    return min(others) / row["timings"]["tsgu"]["best"]


def _mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _judge(value, bound, above=True):
    if bound is None:
        return ""
    met = value >= bound if above else value <= bound
    return f" ({'met' if met else 'MISSED'}: {'>=' if above else '<='} {bound:g})"


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _summary(section, rows):
    for text, peer, mean_bound, worst_bound in _GOALS[section]:
        ratios = [ratio for row in rows if (ratio := _ratio(row, peer)) is not None]
        if not ratios:
            yield f"- {text}: nothing to compare with"
            continue
        mean, worst = _mean(ratios), min(ratios)
        yield (
            f"- {text}: {mean:.2f}x in the geometric mean{_judge(mean, mean_bound)}, "
            f"{worst:.2f}x at worst{_judge(worst, worst_bound)}, {len(ratios)} cases"
        )
    if backward := [row["backward over forward"] for row in rows if "backward over forward" in row]:
        mean = _mean([max(ratio, 1e-3) for ratio in backward])
        yield f"- backward is {mean:.2f} forwards{_judge(mean, _BACKWARD_GOAL, above=False)}"


def _timed_section(section, rows, roof):
    names = list(dict.fromkeys(name for row in rows for name in row["timings"]))
    body = []
    for row in rows:
        best = {name: timing["best"] for name, timing in row["timings"].items()}
        fraction = ""
        if row["bytes"] and roof and "tsgu" in best:
            fraction = f"{row['bytes'] / best['tsgu'] / roof:.2f}"
        times = [f"{1e3 * best[name]:.4g}" if name in best else "-" for name in names]
        body.append([row["case"], *times, fraction])
    lines = [*_summary(section, rows), ""]
    lines += _table(["milliseconds", *names, "of the roof"], body)
    return lines + _left_out(rows)


def _left_out(rows):
    """Each reason once, with the cases it holds for."""
    reasons = {}
    for row in rows:
        for name, why in row["errors"].items():
            reasons.setdefault((name, why), []).append(row["case"])
    return [f"- left out: {name}: {why} ({', '.join(of)})" for (name, why), of in reasons.items()]


def _host_section(rows):
    forward = next((r["microseconds"] for r in rows if r["case"] == "tsgu: forward"), None)
    lines = []
    if forward is not None:
        judged = _judge(forward, _HOST_GOAL, above=False)
        lines = [f"- a call costs the host {forward:.1f} us{judged}", ""]
    return lines + _table(
        ["microseconds", "of the host"], [[r["case"], f"{r['microseconds']:.2f}"] for r in rows]
    )


def page(results):
    """The results as Markdown."""
    checks, roof = results["checks"], results["roof"]
    lines = [
        "# tsgu on a GPU",
        "",
        f"{results['device']}; {', '.join(f'{k} {v}' for k, v in results['versions'].items())}; "
        f"{results['date']}, {results['seconds']:.0f} s.",
        "",
    ]
    if checks is not None:
        lines.append(f"- checks: {checks['passed']} passed, {len(checks['failed'])} failed")
        lines += [f"  - {name}: {why.splitlines()[0]}" for name, why in checks["failed"].items()]
    if roof:
        lines.append(f"- memory roof, a copy: {roof / 1e9:.0f} GB/s")
    lines.append("")
    for section, rows in results["sections"].items():
        lines += [f"## {section}", ""]
        if section == "host":
            lines += _host_section(rows)
        elif rows:
            lines += _timed_section(section, rows, roof)
        if reason := results["ended"].get(section):
            lines.append(f"- ended early: {reason}")
        lines.append("")
    return "\n".join(lines)


def write(results, folder):
    """gpu.json and GPU.md in the folder; returns the page."""
    text = page(results)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "GPU.md").write_text(text)
    return text
