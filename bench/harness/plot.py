"""One chart of bars for each question, in one SVG."""
import math
from xml.sax.saxutils import escape

from .report import MS, figure, in_unit

WIDTH, LABEL, VALUE, ROW, HEAD = 560, 120, 76, 18, 26
COLOURS = {"native": "#9aa5b1", "floor": "#6b7785", "landlock": "#6b7785", "allow-all": "#6b7785", "floor+filter": "#6b7785", "landlock+filter": "#6b7785", "truncate": "#6b7785"}
PEERS = {"strace", "proot", "bwrap", "firejail", "runsc"}


def colour(name):
    if name in PEERS:
        return "#d9a441"
    return COLOURS.get(name, COLOURS.get(name.split()[0], "#2b6cb0"))


def unit(answer):
    return "requests a second" if answer["key"] == "rate" else "ns" if answer["key"].endswith("_ns") else "ms" if answer["name"] in MS else "us"


def chart(answer, left, top):
    bars = [(name, in_unit(answer, answer["key"], v[answer["key"]])) for name, v in answer["variants"].items() if v.get(answer["key"])]
    if not bars:
        return [], 0
    marks = {goal["of"]: in_unit(answer, answer["key"], goal["mark"]) for goal in answer["goals"] if goal["key"] == answer["key"] and goal["mark"]}
    values = [value for _, value in bars] + list(marks.values())
    low, high = min(values), max(values)
    log = high > 20 * low
    room = WIDTH - LABEL - VALUE
    place = (lambda v: room * (0.06 + 0.94 * math.log(v / low) / math.log(high / low))) if log else (lambda v: room * v / high)
    parts = [f'<text x="{left}" y="{top + 15}" font-weight="bold">{escape(answer["title"])}</text>',
             f'<text x="{left + WIDTH - 8}" y="{top + 15}" text-anchor="end" fill="#666">{unit(answer)}{", log" if log else ""}</text>']
    for i, (name, value) in enumerate(bars):
        y = top + HEAD + i * ROW
        parts += [f'<text x="{left + LABEL - 6}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
                  f'<rect x="{left + LABEL}" y="{y + 2}" width="{place(value):.1f}" height="{ROW - 5}" fill="{colour(name)}"/>',
                  f'<text x="{left + WIDTH - 8}" y="{y + 12}" text-anchor="end">{figure(value)}</text>']
        if name in marks:
            x = left + LABEL + place(marks[name])
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 1}" y2="{y + ROW - 1}" stroke="#c53030" stroke-width="2"/>')
    return parts, HEAD + len(bars) * ROW + 14


def svg(answers):
    """Two columns; the next chart goes where there is more room."""
    heights, parts = [30, 30], ['<text x="12" y="18" fill="#c53030">a red line is a goal: at most for times, at least for requests a second</text>']
    for answer in answers:
        column = heights.index(min(heights))
        drawn, height = chart(answer, 12 + column * (WIDTH + 24), heights[column])
        parts += drawn
        heights[column] += height
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH + 48}" height="{max(heights) + 8}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
