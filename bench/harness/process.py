"""Programs with an end: nothing here waits for ever, and a program that fails costs its own figure only."""
import atexit
import json
import os
import select
import signal
import subprocess
import tempfile
import time


LIVING = set()  # leaders of groups: a run that is broken off leaves nobody behind


class Failed(Exception):
    """Why there is no figure."""


def kill_group(pid, number):
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


@atexit.register
def end_all():
    for pid in LIVING:
        kill_group(pid, signal.SIGKILL)


class Running:
    """A program in a session of its own: the scheduler divides the machine among sessions first, and usher makes one for what it starts."""

    def __init__(self, command, env, cwd=None):
        self.command = command
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.begun = time.monotonic()
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, env=env, cwd=cwd, start_new_session=True)
        LIVING.add(self.child.pid)
        self.pidfd = os.pidfd_open(self.child.pid)

    def ended(self, seconds):
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def text(self, file):
        file.seek(0)
        return file.read().decode(errors="replace")

    def wait(self, seconds):
        """Status, output, errors and processor seconds."""
        timely = self.ended(seconds)
        result = self.reap()
        if not timely:
            raise Failed(f"not over after {seconds} s")
        return result

    def reap(self):
        """Whoever is left is killed."""
        kill_group(self.child.pid, signal.SIGKILL)  # its number is held until it is waited for
        if not self.ended(10):
            raise Failed("it cannot be killed")
        _, status, usage = os.wait4(self.child.pid, 0)
        LIVING.discard(self.child.pid)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        os.close(self.pidfd)
        texts = [self.text(self.out), self.text(self.err)]
        self.out.close()
        self.err.close()
        return self.child.returncode, *texts, usage.ru_utime + usage.ru_stime

    def stop(self, name, seconds=5):
        """SIGTERM to NAME: not every wrapper passes signals on, and one that ended first would not be charged with what it waited for. usher does. Processor seconds."""
        named = [pid for pid, comm in group(self.child.pid) if comm == name]
        for pid in named:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        if not named:
            kill_group(self.child.pid, signal.SIGTERM)
        self.ended(seconds)
        self.quiet(1)
        return self.reap()[3]

    def quiet(self, seconds):
        """Until the others of its group are gone, too: a wrapper may be gone before them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(group(self.child.pid)) > 1:
            time.sleep(0.02)


def group(pgid):
    """Who is in a process group, with their names; its leader counts even when it is dead and not waited for."""
    members = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as f:
                comm, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            if int(rest.split()[2]) == pgid:
                members.append((int(name), comm))
        except (OSError, IndexError):
            pass
    return members


def group_seconds(pgid):
    """Processor seconds that the threads of a process group have had."""
    total = 0
    for pid, _ in group(pgid):
        try:
            for tid in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def run(command, env, seconds=60, cwd=None):
    """Its standard output and processor seconds."""
    status, out, err, cpu = Running(command, env, cwd).wait(seconds)
    if status:
        raise Failed(f"status {status}: {(err or out).strip()[-300:]}")
    return out, cpu


def last_json(out):
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed(f"no figures in: {out[-200:]!r}") from None
