"""How a question is measured: A B C A B C ..., the first repetition dropped, medians of the rest."""
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from .process import Failed


@dataclass
class Goal:
    """A row of the goals table: WORDS are that table's. OF's KEY divided by TO's (or less TO's, in UNIT); alone without TO."""
    words: str
    of: str
    to: Optional[str] = None
    key: str = "p50"
    most: Optional[float] = None
    least: Optional[float] = None
    less: bool = False
    scale: float = 1
    unit: str = "x"

    def figure(self, variants, pairs=None):
        """PAIRS: the samples of each variant, one for each repetition."""
        try:
            value = variants[self.of][self.key]
            if self.to and pairs:
                value = statistics.median(pairs[self.of][i][self.key] / pairs[self.to][i][self.key] for i in pairs[self.of].keys() & pairs[self.to].keys())
            elif self.to:
                base = variants[self.to][self.key]
                value = value - base if self.less else value / base
            return value / self.scale
        except (KeyError, TypeError, ZeroDivisionError, statistics.StatisticsError):
            return None

    def bound(self):
        return f"<= {self.most:g} {self.unit}" if self.most is not None else f">= {self.least:g} {self.unit}"

    def verdict(self, value):
        if value is None:
            return "no figure"
        missed = value / self.most - 1 if self.most is not None else 1 - value / self.least
        return "reached" if missed <= 0 else f"missed by {missed * 100:.1f} %"


@dataclass
class Question:
    name: str
    title: str
    variants: dict                      # wrapper -> what is given to SAMPLE
    sample: Callable                    # (what) -> {"p50": ns, ..., "rate": 1/s, "cpu": s}
    goals: list
    key: str = "p50"                    # what is shown and plotted
    calls: int = 1                      # in a sample, for processor time of one
    repetitions: int = 0
    peers: tuple = ()                   # measured in a few repetitions only
    peer_repetitions: int = 3
    notes: list = field(default_factory=list)
    seconds: float = 240                # no repetition is begun after that, once there are two
    paired: bool = False                # goals are medians of the ratios of each repetition: a machine that is now fast, now slow is so for all of one
    done: Callable = lambda: None       # behind the last repetition


def medians(samples, calls):
    """Of every figure that the samples have; and how far the main one spreads."""
    result = {key: statistics.median(s[key] for s in samples) for key in samples[0]}
    result["n"] = len(samples)
    if "cpu" in result:
        result["cpu_us"] = result.pop("cpu") / calls * 1e6
    return result


def measure(question):
    """What a report says about a question. A wrapper that fails twice is left out."""
    samples, failures = {name: {} for name in question.variants}, {}
    begun = time.monotonic()
    for repetition in range(question.repetitions):
        if time.monotonic() - begun > question.seconds and repetition > 2:
            print(f"    {question.name}: stopped after {repetition} repetitions", file=sys.stderr)
            break
        for name, what in question.variants.items():
            if len(failures.get(name, ())) > 1 or (name in question.peers and repetition > question.peer_repetitions):
                continue
            try:
                sample = question.sample(what)
            except (Failed, OSError, KeyError, ValueError) as e:
                failures.setdefault(name, []).append(f"{type(e).__name__}: {e}" if not isinstance(e, Failed) else str(e))
                print(f"    {question.name} {name}: {failures[name][-1]}", file=sys.stderr)
                continue
            if repetition:
                samples[name][repetition] = sample
    question.done()
    variants = {}
    for name, numbered in samples.items():
        list_ = list(numbered.values())
        if not list_:
            continue
        variants[name] = medians(list_, question.calls)
        main = [s[question.key] for s in list_]
        variants[name]["spread"] = (max(main) - min(main)) / statistics.median(main)
        if "p99" in variants[name] and question.calls < 1000:  # too few for it to mean anything
            del variants[name]["p99"], variants[name]["p999"]
    return finish(question, variants, {name: list_[-1] for name, list_ in failures.items()}, time.monotonic() - begun, samples if question.paired else None)


def finish(question, variants, failures, seconds, pairs=None):
    """The ratios, and what became of the goals."""
    for v in variants.values():
        for base in ("native", "floor"):
            if base in variants:
                v[f"x_{base}"] = v[question.key] / variants[base][question.key]
                if variants[base].get("cpu_us"):
                    v[f"cpu_x_{base}"] = v["cpu_us"] / variants[base]["cpu_us"]
    goals = []
    for goal in question.goals:
        value = goal.figure(variants, pairs)
        compared = f"{goal.of} {'-' if goal.less else '/'} {goal.to}" if goal.to else goal.of
        verdict = goal.verdict(value) if value is not None else "failed: " + " ".join((failures.get(goal.of) or failures.get(goal.to) or "not measured").split())
        goals.append({"words": goal.words, "compared": compared, "key": goal.key, "of": goal.of, "figure": value, "bound": goal.bound(), "unit": goal.unit,
                      "verdict": verdict, "mark": mark(goal, variants)})
    return {"name": question.name, "title": question.title, "key": question.key, "variants": variants, "goals": goals, "failures": failures,
            "notes": question.notes, "seconds": round(seconds, 1)}


def mark(goal, variants):
    """Where the goal lies on the scale of what was measured."""
    bound = goal.most if goal.most is not None else goal.least
    base = variants.get(goal.to, {}).get(goal.key) if goal.to else 0
    if base is None:
        return None
    return base + bound * goal.scale if goal.less or not goal.to else base * bound
