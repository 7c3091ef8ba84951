"""What was measured, for the terminal and as JSON and Markdown."""
import json

MS = ("find", "grep", "git", "cc", "python", "start")


def figure(value, digits=3):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 10 ** digits else f"{value:.{digits}g}"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def in_unit(answer, key, value):
    """A figure of nanoseconds, or of whatever else, as it is shown."""
    divisor = {"p50": 1e3, "p99": 1e3, "p999": 1e3, "cpu_us": 1}.get(key)
    if value is None or not divisor:
        return value
    return value / divisor / (1e3 if answer["name"] in MS else 1)


def columns(answer):
    """Keys and their headings."""
    if answer["name"] == "decision":
        return [("site_ns", "one site ns"), ("spread_ns", "4,096 paths ns"), ("new_ns", "first look ns"), ("compile_ms", "compile ms"), ("memory_after", "memory B")]
    unit = "ms" if answer["name"] in MS else "us"
    keys = {"rate": "1/s"} if answer["key"] == "rate" else {}
    keys.update({"p50": f"p50 {unit}", "p99": f"p99 {unit}", "p999": f"p99.9 {unit}"})
    keys.update({"pss_kib": "PSS KiB", "records": "records", "cpu_us": f"CPU {unit} each", "n": "n", "spread": "spread", "x_native": "x native", "x_floor": "x floor",
                 "cpu_x_native": "CPU x native", "cpu_x_floor": "CPU x floor"})
    return [(key, title) for key, title in keys.items() if any(key in v for v in answer["variants"].values())]


def cell(answer, key, value):
    if value is None:
        return "-"
    if key == "spread":
        return f"{value * 100:.0f} %"
    if "x_" in key:
        return ratio(value)
    return figure(in_unit(answer, key, value))


def rows(answer):
    keys = columns(answer)
    yield ["", *(title for _, title in keys)]
    for name, v in answer["variants"].items():
        yield [name, *(cell(answer, key, v.get(key)) for key, _ in keys)]


def goal_cells(goal):
    value = "-" if goal["figure"] is None else f"{goal['figure']:.3f} {goal['unit']}"
    return value, goal["bound"], goal["verdict"]


def terminal(answer):
    print(f"\n{answer['name']}: {answer['title']}")
    table = list(rows(answer))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  " + "  ".join(text.ljust(w) if not i else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths))))
    for name, why in answer["failures"].items():
        print(f"  {name}: failed: {why}")
    for goal in answer["goals"]:
        value, bound, verdict = goal_cells(goal)
        print(f"  {goal['compared']}: {value}, goal {bound}: {verdict.upper() if 'missed' in verdict else verdict}", flush=True)


def markdown(report, plot, tried):
    m = report["machine"]
    lines = ["# Results", "",
             f"Written by `bench/run{'' if report['scale'] == 'whole' else ' --' + report['scale']}`; how it measures is said in [README.md](README.md).", "",
             f"- {m['kernel']}, {m['architecture']}, {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['virtual']}; as {m['as']}",
             f"- {report['date']}, {report['minutes']} minutes; load when it began {report['load'][0]}, when it ended {report['load'][1]} (its own included)",
             f"- {report['version']}",
             "- other programs: " + "; ".join(f"{name} {text}" for name, text in report["peers"].items()), ""]
    reached = sum(g["verdict"] == "reached" for a in report["answers"] for g in a["goals"])
    total = sum(len(a["goals"]) for a in report["answers"])
    lines += [f"## Goals: {reached} of {total} reached", "", "Ratios of medians; of servers, medians of the ratios of each round. `brokered`: every open goes to usher; `offloaded`: reading is left to Landlock; `in a view`: what may not be read is not there.", "",
              "| question | compared | figure | goal | |", "|---|---|---|---|---|"]
    for answer in report["answers"]:
        for goal in answer["goals"]:
            value, bound, verdict = goal_cells(goal)
            lines.append(f"| {goal['words']} | {goal['compared']} | {value} | {bound} | {verdict if verdict == 'reached' else f'**{verdict}**'} |")
    lines += ["", tried.strip()] if tried else []
    lines += ["", "## Figures", "", f"![what was measured]({plot})", "" ] if plot else ["", "## Figures", ""]
    lines += ["`CPU`: of supervisor and target together, its start included, divided by calls, requests or runs. `n`: samples, of which the median is shown. `spread`: of the main figure, highest "
              "less lowest, by the median. p99 and p99.9 are of single calls.", ""]
    for answer in report["answers"]:
        lines += [f"### {answer['name']}: {answer['title']}", ""]
        lines += answer["notes"] + [""] if answer["notes"] else []
        table = list(rows(answer))
        lines += ["| " + " | ".join(table[0]) + " |", "|---|" + "---:|" * (len(table[0]) - 1)] + ["| " + " | ".join(row) + " |" for row in table[1:]]
        lines += [""] + [f"- {name}: failed: {' '.join(why.split())}" for name, why in answer["failures"].items()] + [""] * bool(answer["failures"])
    return "\n".join(lines).rstrip() + "\n"


def as_json(report):
    return json.dumps(report, indent=1) + "\n"
