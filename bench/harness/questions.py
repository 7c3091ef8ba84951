"""All that is asked: every row of the goals table, with what each figure is compared with."""
import os
from dataclasses import dataclass

from .measure import Goal, Question, finish, measure
from .process import Failed, last_json, run
from .sandboxes import measure_sandboxes
from .servers import Nginx, Redis


@dataclass
class Scale:
    """How much of it."""
    count: int              # calls of a sample
    repetitions: int        # the first is dropped
    programs: int           # runs of a program, in units of its own
    program_repetitions: int
    bursts: int             # of a second, of requests to nginx
    server_repetitions: int
    redis_requests: int
    threads: tuple
    sandboxes: tuple
    files: int              # of the repository
    peers: int              # repetitions of other people's programs
    peers_everywhere: bool


WHOLE = Scale(20000, 12, 4, 9, 33, 11, 100000, (1, 4, 16, 64), (1, 100, 1000), 3000, 3, True)
QUICK = Scale(2000, 4, 1, 3, 7, 3, 10000, (1, 4, 64), (1, 50), 500, 1, False)
SMOKE = Scale(50, 2, 1, 2, 2, 2, 1000, (1, 4), (1, 3), 10, 1, False)

OPEN = "brokered read open of an existing file, no symlink in the way"
RULES = "10 rules against 100,000 rules"
SERVED = "nginx static root, 1 KiB, one open a request"


class Asker:
    """Makes the questions for a place and a scale."""

    def __init__(self, site, wrappers, scale):
        self.site, self.wrappers, self.scale = site, wrappers, scale

    def others(self):
        return self.wrappers.peers if self.scale.peers_everywhere else {}

    def view(self):
        """Only root can have one."""
        return {"view": self.wrappers.usher(self.site.view)} if self.site.root else {}

    # How a sample is taken.

    def worker_sample(self, command):
        out, cpu = run(command, self.site.env, 60)
        return {**last_json(out), "cpu": cpu}

    def audited_sample(self, command):
        """A log of its own for each sample, which must then be complete."""
        log = self.site.path("audit.jsonl")
        if os.path.exists(log):
            os.unlink(log)
        sample = self.worker_sample(command)
        if os.path.exists(log):
            with open(log, "rb") as f:
                sample["records"] = sum(1 for _ in f)
            if sample["records"] < self.scale.count:
                raise Failed(f"{sample['records']} records of {self.scale.count} calls")
        return sample

    # What stands in the table.

    def calls(self, name, title, op, path, floor, usher, goals, *, native=None, count=None, peers=False, sample=None, notes=(), more=()):
        """One call, natively, under the floor, under usher, and perhaps under other people's programs."""
        count = count or self.scale.count
        work = [self.site.tool("worker"), op, str(count)]
        variants = {"native": work + [native or path], "floor": floor + work + [path], "usher": usher + work + [path]}
        variants.update({label: wrapper + work + [path] for label, wrapper in more})
        if peers:
            variants.update({peer: wrapper + work + [path] for peer, wrapper in self.wrappers.peers.items()})
        return Question(name, title, variants, sample or self.worker_sample, goals, calls=count, repetitions=self.scale.repetitions,
                        peers=tuple(self.wrappers.peers), peer_repetitions=self.scale.peers, notes=list(notes))

    def micro(self):
        s, w = self.site, self.wrappers
        within = lambda words, most, of="usher", to="floor": [Goal(words, of, to, most=most)]
        yield self.calls("open", "A brokered read open", "open", s.target, w.floor(), w.usher(s.plain, *w.audit()), within(OPEN, 1.15), peers=True,
                         notes=["usher: with an audit log, for denials."])
        yield self.calls("link", "The same through a symlink", "open", s.link, w.floor(), w.usher(s.plain), within("the same through a symlink", 1.6))
        yield self.calls("create", "A brokered create", "create", os.path.join(s.made, "new"), w.floor(), w.usher(s.plain), within("a create", 1.6),
                         notes=["On tmpfs. Closing and unlinking are not timed."])
        if s.root:
            nobody = w.usher(s.plain, "--user", "nobody")
            note = ["usher: the program is nobody's, the supervisor root's. The floor has no change of uid: it opens as itself."]
            yield self.calls("open_uid", "A brokered read open under another uid", "open", s.target, w.floor(), nobody, within("an open under another uid", 1.6), notes=note)
            yield self.calls("create_uid", "A brokered create under another uid", "create", os.path.join(s.made, "new"), w.floor(), nobody, within("a create under another uid", 1.6), notes=note)
        yield self.calls("deny", "A denial", "deny", s.secret, w.floor("--deny"), w.usher(s.plain), within("denial", 1.15), native="/nonexistent",
                         notes=["Without an audit log; see audit_deny. native: a file that does not exist."])
        yield self.calls("stat", "A brokered stat", "stat", s.target, w.floor("--stat"), w.usher(s.stats), within("brokered stat", 1.15))
        yield self.calls("unlink", "A brokered unlink", "unlink", s.path("tree", "new"), w.floor("--unlink"), w.usher(s.plain), within("unlink", 1.15),
                         count=self.scale.count // 2, notes=["The file is made before, which is not timed."])
        yield self.calls("untrapped", "A call that is not trapped", "getppid", "-", w.floor("--allow-all"), w.usher(s.plain), within("a call that is not trapped", 1.05),
                         count=self.scale.count * 20, notes=["floor: a one-line allow-all filter."])
        yield self.calls("landlock", "An open that is left to Landlock", "open", s.target, w.landlock(), w.usher(s.sealed),
                         within("reads offloaded to Landlock", 1.05), count=self.scale.count * 5, more=[("floor+filter", w.landlock_filter()), ("truncate", w.landlock_filter("--truncate")), *self.view().items()],
                         notes=["floor: Landlock alone, with the rights that usher gives; floor+filter: with a one-line allow-all filter besides, which is what the kernel charges for any filter;",
                                "truncate: the same, and each open asks whether it may truncate, for which the kernel looks on up to the root. usher gave that up;",
                                "view: what may not be read is not there (default deny ENOENT view)."])
        for op, title in (("connect", "A brokered connect to loopback"), ("connect_nonblocking", "The same, not blocking")):
            yield self.calls(op, title, op, "-", w.floor("--connect"), w.usher(s.connects), within("connect to loopback, brokered" + ", not blocking" * (op != "connect"), 1.15),
                             count=self.scale.count // 2)

    def audit(self):
        s, w = self.site, self.wrappers
        for name, what, op, path, policy in (("audit", "an open", "open", s.target, s.audited), ("audit_deny", "a denial", "deny", s.secret, s.plain)):
            work = [s.tool("worker"), op, str(self.scale.count), path]
            off, on = w.usher(s.plain) + work, w.usher(policy, *w.audit()) + work
            yield Question(name, f"Audit of every call: {what}", {"audit off": off, "audit on": on}, self.audited_sample,
                           [Goal(f"audit of every call: {what}", "audit on", "audit off", most=1.10)],
                           calls=self.scale.count, repetitions=self.scale.repetitions)

    def rules(self):
        s, w = self.site, self.wrappers
        work = [s.tool("worker"), "open", str(self.scale.count), s.target]
        yield Question("rules", "An open under 2 rules and under 100,000", {"2 rules": w.usher(s.plain) + work, "100,000 rules": w.usher(s.many) + work}, self.worker_sample,
                       [Goal(RULES + ": a brokered open", "100,000 rules", "2 rules", most=1.1)], calls=self.scale.count, repetitions=max(2, self.scale.repetitions // 2))
        yield Question("decision", "The decision alone under 10 rules and under 100,000; compiling them", {}, None, [
            Goal(RULES + ": a decision, paths of one site", "100,000 rules", "10 rules", key="site_ns", most=1.1),
            Goal(RULES + ": a decision, 4,096 paths", "100,000 rules", "10 rules", key="spread_ns", most=1.1),
            Goal("compiling 100,000 rules", "100,000 rules", key="compile_ms", most=1, scale=1000, unit="s"),
            Goal("memory bounded", "100,000 rules", key="memory_after", most=64, scale=1 << 20, unit="MiB"),
        ], key="spread_ns", notes=["new_ns: the first look at a path.", "The bound on memory is the engine's own, 64 MiB."])

    def threads(self):
        s, w = self.site, self.wrappers
        work = lambda n: [s.tool("worker"), "open", str(self.scale.count), s.target, str(n)]
        variants = {f"{name} {n}": wrapper + work(n) for n in self.scale.threads for name, wrapper in (("native", []), ("floor", w.floor()), ("usher", w.usher(s.plain)))}
        yield Question("threads", "Threads that open files in one sandbox, all together", variants, self.worker_sample,
                       [Goal(f"{n} threads opening files in one sandbox, against one", f"usher {n}", "usher 1", key="rate", least=0.9) for n in self.scale.threads[1:]],
                       key="rate", calls=self.scale.count, repetitions=max(2, self.scale.repetitions * 2 // 3))

    def sandboxes(self):
        sizes = self.scale.sandboxes
        hot = [Goal(f"{n} sandboxes, one hot: the hot one", f"usher {n}", "usher 1", most=1.1) for n in sizes[1:]]
        pss = [Goal(f"an idle sandbox, of {n}", f"usher {n}", key="pss_kib", most=2, scale=1024, unit="MiB PSS") for n in sizes]
        yield Question("sandboxes", "Sandboxes of which one opens files", {}, None, hot + pss, calls=self.scale.count, repetitions=max(2, self.scale.repetitions // 2),
                       notes=["PSS is the supervisor's: pages that several share count in parts. The median of 50."])

    def servers(self):
        s, w, scale = self.site, self.wrappers, self.scale
        rate = lambda words, of, to, least: Goal(words, of, to, key="rate", least=least)
        plain, cached = Nginx(s, 1, False), Nginx(s, 1, True)
        yield Question("nginx", "nginx, 1 KiB pages, one open a request", {
            "native": [], "landlock": w.landlock(), "landlock+filter": w.landlock_filter(), "offloaded": w.usher(s.sealed), **self.view(), "floor": w.floor(), "brokered": w.usher(s.plain), **self.others(),
        }, plain.sample, [
            rate(SERVED + ": offloaded", "offloaded", "native", 0.95), *(rate(SERVED + ": in a view", name, "native", 0.95) for name in self.view()), rate(SERVED + ": brokered", "brokered", "floor", 0.95),
        ], key="rate", repetitions=scale.bursts, peers=tuple(w.peers), peer_repetitions=2 * scale.peers, seconds=400, paired=True, done=plain.stop)
        yield Question("nginx_cache", "nginx with open_file_cache under the shipped profile", {"native": [], "allow-all": w.floor("--allow-all"), "usher": w.web()},
                       cached.sample, [rate("nginx with open_file_cache", "usher", "native", 0.97)],
                       key="rate", repetitions=scale.bursts, paired=True, done=cached.stop)
        for name, what, both in (("redis", "both ends wrapped", True), ("redis_server", "the server wrapped", False)):
            yield Question(name, f"redis, SET and GET, {what}, sockets brokered", {"native": [], "allow-all": w.floor("--allow-all"), "usher": w.usher(s.sockets)},
                           Redis(s, scale.redis_requests, both).sample, [rate(f"redis GET/SET, {what}", "usher", "native", 0.97)],
                           key="rate", repetitions=scale.server_repetitions, paired=True)

    def programs(self):
        s, w, scale = self.site, self.wrappers, self.scale
        for name, title, times, command in (
            ("find", "find over /usr/include", 4, ["find", "/usr/include", "-type", "f"]),
            ("grep", "grep -r over /usr/include", 1, ["grep", "-r", "_SC_NPROCESSORS_ONLN", "/usr/include"]),
            ("git", "git status", 5, ["git", "-C", s.path("repo"), "status"]),
            ("cc", "a C build", 1, ["sh", s.build_script]),
            ("python", "python start", 10, ["/usr/bin/python3", "-c", "pass"]),
        ):
            runs = max(1, times * scale.programs // 2)
            work = [s.tool("worker"), "run", str(runs), *command]
            wrapped = {"native": [], "landlock": w.landlock(), "landlock+filter": w.landlock_filter(), "offloaded": w.usher(s.sealed), **self.view(), "floor": w.floor(), "brokered": w.usher(s.plain), **self.others()}
            yield Question(name, title, {label: wrapper + work for label, wrapper in wrapped.items()}, self.worker_sample, [
                Goal(f"{title}: offloaded", "offloaded", "native", most=1.05), *(Goal(f"{title}: in a view", name, "native", most=1.05) for name in self.view()), Goal(f"{title}: brokered", "brokered", "floor", most=1.10),
            ], calls=runs, repetitions=scale.program_repetitions, peers=tuple(w.peers), peer_repetitions=min(2, scale.peers),
                notes=["From the program's start to its end, inside of what is there already: the start of the wrapper is a question of its own."])

    def start(self):
        s, w = self.site, self.wrappers
        work = [s.tool("worker"), "run", str(max(2, self.scale.count // 1000))]
        wrapped = {"native": [], "landlock": w.landlock(), "floor": w.floor(), "usher": w.usher(s.plain), "offloaded": w.usher(s.sealed), **self.view(), **w.peers}
        yield Question("start", "The start of a program: /bin/true", {label: work + wrapper + ["/bin/true"] for label, wrapper in wrapped.items()}, self.worker_sample,
                       [Goal("start of a program under usher, over a bare exec", label, "native", most=10, less=True, scale=1e6, unit="ms") for label in ("usher",)],
                       calls=max(2, self.scale.count // 1000), repetitions=self.scale.repetitions, peers=tuple(w.peers), peer_repetitions=self.scale.peers)

    def all(self):
        for part in (self.micro, self.audit, self.rules, self.threads, self.sandboxes, self.start, self.servers, self.programs):
            yield from part()

    def answer(self, question):
        """What a report says about QUESTION."""
        if question.name == "sandboxes":
            hot = self.wrappers.usher(self.site.plain) + [self.site.tool("worker"), "open", str(self.scale.count), self.site.target]
            return measure_sandboxes(question, self.site, self.wrappers, self.scale.sandboxes, hot)
        if question.name == "decision":
            try:
                sides = last_json(run([self.site.tool("bench_rules"), "--json"], self.site.env, 120)[0])["sides"]
                variants = {label: {k: v for k, v in side.items() if k != "rules"} for label, side in zip(("10 rules", "100,000 rules"), sides)}
                return finish(question, variants, {}, 0)
            except (Failed, KeyError) as e:
                return finish(question, {}, {"100,000 rules": str(e)}, 0)
        return measure(question)
