"""Many sandboxes of which one works: what the others cost it, and what each of them holds in memory."""
import os
import select
import signal
import statistics
import subprocess
import time

from . import measure
from .process import Failed, last_json, run


def pss_kib(pid):
    """Of a process and those it is the parent of, but for the confined program. None if that may not be seen."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total = next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except PermissionError:
        return None
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        children = f.read().split()
    for child in children:
        if os.readlink(f"/proc/{child}/exe").endswith("/usher"):
            total += pss_kib(int(child))
    return total


class Idle:
    """Sandboxes that sleep."""

    def __init__(self, site, command):
        self.site, self.command, self.children = site, command, []

    def grow(self, n, seconds):
        end = time.monotonic() + seconds
        while len(self.children) < n:
            batch = [subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.site.env, start_new_session=True)
                     for _ in range(min(8, n - len(self.children)))]
            self.children += batch
            for child in batch:
                said = child.stdout.readline() if select.select([child.stdout], [], [], 30)[0] else b""
                child.stdout.close()
                if said != b"idle\n":
                    raise Failed("an idle sandbox did not start")
            if time.monotonic() > end:
                raise Failed(f"{len(self.children)} of {n} sandboxes after {seconds} s")

    def end(self):
        for child in self.children:
            child.terminate()
        end = time.monotonic() + 60
        for child in self.children:
            try:
                child.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.children = []


def measure_sandboxes(question, site, wrappers, sizes, hot):
    """SIZES of sandboxes, one of them at work. The one alone is measured before and after: memory that many have used is not as it was."""
    idle = Idle(site, wrappers.usher(site.plain) + [site.tool("worker"), "idle"])
    samples, pss, failures, begun = {size: [] for size in sizes}, {}, {}, time.monotonic()

    def take(size):
        for repetition in range(question.repetitions):
            out, cpu = run(hot, site.env, 60)
            if repetition:
                samples[size].append({**last_json(out), "cpu": cpu})

    try:
        for size in sizes:
            with open("/proc/meminfo") as f:
                available = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable:"))
            if available < size * 3072:
                raise Failed(f"too little memory for {size} sandboxes")
            idle.grow(max(size - 1, 1), 30 + size * 0.2)
            if size == 1:
                pss[size] = pss_kib(idle.children[0].pid)
                idle.end()
            take(size)
            if size > 1:
                seen = [kib for kib in (pss_kib(child.pid) for child in idle.children[:50]) if kib]
                pss[size] = statistics.median(seen) if seen else None
        idle.end()
        take(sizes[0])
    except (Failed, OSError, StopIteration) as e:
        failures[f"usher {size}"] = str(e)
    finally:
        idle.end()
    variants = {}
    for size in sizes:
        if samples[size]:
            variants[f"usher {size}"] = measure.medians(samples[size], question.calls)
            main = [s["p50"] for s in samples[size]]
            variants[f"usher {size}"]["spread"] = (max(main) - min(main)) / statistics.median(main)
        if pss.get(size) and samples[size]:
            variants[f"usher {size}"]["pss_kib"] = pss[size]
    return measure.finish(question, variants, failures, time.monotonic() - begun)
