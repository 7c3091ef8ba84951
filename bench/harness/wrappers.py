"""What a program can be run under. A wrapper is the beginning of a command; PEERS are other people's."""
import json
import os
import shutil

from .machine import package
from .process import Failed, Running, run

PEERS = ("strace", "proot", "bwrap", "firejail", "runsc")


class Wrappers:
    def __init__(self, site):
        self.site = site
        self.peers, self.absent = {}, {}
        for name in PEERS:
            why = self._look_at(name)
            if why:
                self.absent[name] = why
            else:
                self.peers[name] = self._peer(name)

    def native(self):
        return []

    def floor(self, *options):
        return [self.site.tool("bench_floor"), *options, "--"]

    def landlock(self, *options):
        """The rights that usher gives under the sealed policy."""
        return [self.site.tool("bench_landlock"), *options, *("+" * (tree in self.site.writable) + tree for tree in self.site.trees), "--"]

    def landlock_filter(self, *options):
        """And a filter of one line: the least that the kernel charges for two layers."""
        return self.landlock("--allow-all-filter", *options)

    def usher(self, policy, *options):
        return [self.site.usher, "run", "-p", policy, "--quiet", *options, "--"]

    def audit(self):
        """The log is begun anew by whoever measures."""
        return ["--audit", self.site.path("audit.jsonl")]

    def web(self):
        site = self.site
        return self.usher(os.path.join(os.path.dirname(__file__), "..", "..", "profiles", "web.policy"),
                          *(word for name, d in (("root", "site"), ("conf", "conf"), ("logs", "logs"), ("run", "run"), ("temp", "temp"))
                            for word in ("--set", f"{name}={site.path(d)}")))

    def _peer(self, name):
        secret = os.path.dirname(self.site.secret)
        return {
            "strace": ["strace", "-f", "--seccomp-bpf", "-e", "trace=openat", "-o", "/dev/null"],
            "proot": ["proot", "-b", f"{self.site.path('empty')}:{secret}"],
            "bwrap": ["bwrap", "--dev-bind", "/", "/", "--tmpfs", secret],
            "firejail": ["firejail", "--quiet", "--noprofile", f"--blacklist={secret}", "--"],
            "runsc": ["runsc", "--network=host", "do", "--"],
        }[name]

    def confines(self, name):
        return name != "strace"

    def _look_at(self, name):
        """Why this one cannot be measured here: it must run what is allowed and, unless it only looks on, deny the secret."""
        if not shutil.which(name):
            return "not installed"
        try:
            out, _ = run(self._peer(name) + ["cat", self.site.target], self.site.env, 20)
            if "xxx" not in out:
                return "does not run here: no output"
            if self.confines(name):
                _, out, _, _ = Running(self._peer(name) + ["cat", self.site.secret], self.site.env).wait(20)
                if "not to be read" in out:
                    return "does not deny the secret file"
        except Failed as e:
            return f"does not run here: {self.site.anonymous(str(e))}"
        return None

    def described(self):
        """For a report: versions, or why there are no figures."""
        return {name: self.absent.get(name) or package({"bwrap": "bubblewrap"}.get(name, name)) + ("" if self.confines(name) else " (only looks on: it cannot deny)")
                for name in (*self.peers, *self.absent)}

    def version(self):
        try:
            return run([self.site.usher, "--version"], self.site.env)[0].strip()
        except Failed as e:
            return f"usher: {e}"

    def reads(self, policy):
        """Which layer decides about reading under POLICY; None: that cannot be told."""
        try:
            out, _ = run([self.site.usher, "check", "--plan", "--json", policy], self.site.env, 60)
            return json.loads(out)["plan"]["reads"]["layer"]
        except (Failed, ValueError, KeyError):
            return None
