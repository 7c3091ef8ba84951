#!/usr/bin/python3
"""
Other people's test suites, natively and under usher with a policy that emulates everything and denies nothing, compared case by
case: the program must not be able to tell.

    SUITE=cpython|sockets|stressng [POLICY=text] [OPTIONS=...] [DIFFERS=1] compare.py [USHER]

Each part of a suite runs in both ways at once; what is about sockets in network namespaces of their own. What differs is run again,
when nothing else runs any more, and counts only if it differs AGAIN times in a row: some cases vary by themselves. What is KNOWN to
differ is named with its reason, and docs/fidelity.md tells it. With DIFFERS=1 it is an
error if nothing differs: the test of this test. Exit status 77: the suite is not installed (scripts/packages test).
"""
import concurrent.futures, os, shutil, signal, subprocess, sys, tempfile, threading, time
import xml.etree.ElementTree as tree

AGAIN = 3
TIMEOUT = 600
FILES = "files { default allow; cover all; } limits { capabilities all; }"
PYTHON = "/usr/bin/python3"


class Cpython:
    """CPython's own tests: a part is a module, a case is a method."""
    needs = [PYTHON]
    policy, apart, together = FILES, [], True
    at_once = 2		# much of it is waiting
    more = []
    quick = "test_os test_posix test_posixpath test_pathlib test_shutil test_tempfile test_glob test_fileio test_mmap test_fcntl test_stat"
    # Half a minute each: once, as whoever runs the tests.
    slow = "test_io test_subprocess test_zipfile test_tarfile"
    known = {}

    def present(self):
        return subprocess.run([PYTHON, "-c", "from importlib.util import find_spec as f; exit(f('test.test_os') is None)"], cwd="/", stderr=subprocess.DEVNULL).returncode == 0

    def parts(self):
        slow = "" if os.environ.get("USHER_TEST_USHER") or os.environ.get("DIFFERS") else self.slow
        return slow.split() + self.quick.split()

    def command(self, part, place):
        return [PYTHON, "-m", "test", "--timeout", str(TIMEOUT - 20), "--tempdir", place, "--junit-xml", place + "/results.xml"] + self.more + ["-v", part]

    def results(self, part, place, status):
        found = {}
        try:
            for case in tree.parse(place + "/results.xml").iter("testcase"):
                name = ((case.get("classname") or "") + "." + case.get("name", "")).replace("\n", " ")
                tags = [child.tag for child in case]
                result = ("failed" if "failure" in tags else "error" if "error" in tags else
                          "skipped" if "skipped" in tags or case.get("result") == "skipped" else "passed")
                if found.get(name) not in ("failed", "error"):	# of its subtests
                    found[name] = result
        except (OSError, tree.ParseError):
            pass
        found[part] = "status %d" % status
        return found


class Sockets(Cpython):
    """Those of CPython's that are about sockets, each way on a loopback of its own: they use fixed ports and abstract names."""
    needs = [PYTHON, "unshare", "setpriv", "ip"]
    policy = FILES + " network { default allow audit all; allow connect,bind vsock *; }"
    at_once = 3
    # Vsock to oneself waits for ever in virtual machines that have no loopback of it, natively too.
    more = ["-u", "network", "--ignore", "*VSOCKSocketStream*"]
    # Where addresses are judged there are no such sockets (docs/fidelity.md); the output of their failing breaks off the whole run.
    refused = ["--ignore", "*UDPLITE*"]
    lo = ["sh", "-c", 'ip link set lo up && exec setpriv --inh-caps=-all --ambient-caps=-all -- "$@"', "sh"]

    def __init__(self):
        if "stage log" not in os.environ.get("POLICY", ""):
            self.more = self.more + self.refused
        user = ["--user", "--map-current-user", "--keep-caps"] if os.getuid() else []
        self.apart = ["unshare", "--net"] + user + self.lo
        if subprocess.run(self.apart + ["true"], stderr=subprocess.DEVNULL).returncode:
            print("no network namespaces: one way after the other")
            self.apart, self.together = [], False

    def parts(self):
        place = subprocess.run([PYTHON, "-c", "import test.test_asyncio as t; print(t.__path__[0])"], cwd="/", stdout=subprocess.PIPE).stdout.decode().strip()
        asyncio = sorted("test_asyncio." + name[:-3] for name in os.listdir(place) if name.startswith("test_") and name.endswith(".py"))
        slow = ["test_asyncio.test_events", "test_ssl", "test_socket", "test_asyncio.test_ssl", "test_selectors"]
        return slow + ["test_httplib", "test_socketserver"] + [part for part in asyncio if part not in slow]


class Stressng:
    """stress-ng's file stressors with --verify: a part and a case is a stressor, with so many operations."""
    needs = ["stress-ng"]
    policy, apart, together = FILES, [], True
    at_once = 1
    ops = {
        "access": 100, "chattr": 5, "chdir": 1, "chmod": 50, "chown": 600, "chroot": 100, "copy-file": 100, "dentry": 256, "dir": 512,
        "dirdeep": 600, "dirmany": 500, "dup": 30, "exec": 20, "fallocate": 4, "fanotify": 200, "fault": 100, "fcntl": 2000, "fiemap": 2000,
        "fifo": 20000, "file-ioctl": 2000, "filename": 40, "flock": 50000, "fstat": 50, "full": 2000, "getdent": 400,
        "handle": 5000, "hdd": 1000, "inotify": 2, "io": 20, "iomix": 2000, "kcmp": 500, "link": 1, "lockf": 5000, "mknod": 100, "open": 400,
        "pipe": 20000, "procfs": 20, "pty": 1, "readahead": 200, "rename": 100, "rlimit": 500, "seek": 3000, "sendfile": 600, "session": 20,
        "sync-file": 2, "touch": 2000, "unshare": 5, "urandom": 1000, "utime": 2000, "xattr": 20, "zombie": 200,
    }
    more = {"exec": ["--exec-max", "16"], "chdir": ["--chdir-dirs", "64"]}	# thousands otherwise
    known = {}

    def present(self):
        return True

    def parts(self):
        return list(self.ops)

    def command(self, part, place):
        return ["stress-ng", "--temp-path", place, "--verify", "--no-rand-seed", "--" + part, "1", "--%s-ops" % part, str(self.ops[part])] + self.more.get(part, [])

    def results(self, part, place, status):
        said = open(place + "/../output", errors="replace").read()
        return {part: "skipped" if "skipped" in said or status in (3, 4) else "status %d" % status}


def run(suite, part, way, prefix, where, answers):
    place = "%s/%s/work" % (where, way)
    os.makedirs(place)
    with open(place + "/../output", "w") as output:
        process = subprocess.Popen(suite.apart + prefix + suite.command(part, place), cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env=dict(os.environ, HOME=place, TMPDIR=place, TERM="dumb"), start_new_session=True)
        try:
            status = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            status = 124
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    answers[way] = suite.results(part, place, status)


def both(suite, part, wrapper, keep):
    """What differs: {case: (natively, under usher)}, and how many cases there were."""
    where, answers = tempfile.mkdtemp(prefix="usher-suite-"), {}
    lanes = [threading.Thread(target=run, args=(suite, part, way, prefix, where, answers)) for way, prefix in (("a", []), ("b", wrapper))]
    for lane in lanes:
        lane.start()
        if not suite.together:
            lane.join()
    for lane in lanes:
        lane.join()
    one, other = answers["a"], answers["b"]
    differ = {case: (one.get(case), other.get(case)) for case in sorted({*one, *other}) if one.get(case) != other.get(case)}
    if differ and keep:
        for way in "ab":
            print("--- %s, %s:" % (part, "natively" if way == "a" else "under usher"))
            print("".join(open("%s/%s/output" % (where, way), errors="replace").readlines()[-40:]))
    shutil.rmtree(where, ignore_errors=True)
    return differ, len(one)


def settle(suite, part, wrapper, differ):
    """Of what differs, what does so each time."""
    for again in range(1, 1 if os.environ.get("DIFFERS") else AGAIN):
        if not set(differ) - set(suite.known):
            break
        print("%s: again, for %s" % (part, ", ".join(sorted(differ)[:5])))
        now, _ = both(suite, part, wrapper, again == AGAIN - 1)
        differ = {case: now[case] for case in differ if case in now}
    return differ


def main():
    suite = {"cpython": Cpython, "sockets": Sockets, "stressng": Stressng}[os.environ["SUITE"]]()
    usher = os.environ.get("USHER_TEST_USHER") or sys.argv[1]
    wanted = os.environ.get("PARTS", "").split()
    if not all(shutil.which(program) for program in suite.needs) or not suite.present():
        print("needs " + os.environ["SUITE"])
        return 1 if os.environ.get("CI") else 77
    policy = tempfile.NamedTemporaryFile("w", suffix=".policy")
    policy.write("syntax 1;\npolicy suite \"everything is emulated\";\n" + os.environ.get("POLICY", suite.policy) + "\n")
    policy.flush()
    os.chmod(policy.name, 0o644)
    wrapper = [usher, "run", "-p", policy.name, "--quiet"] + os.environ.get("OPTIONS", "").split() + ["--"]
    cases, all_differ, began, parts = 0, {}, time.monotonic(), wanted or suite.parts()
    with concurrent.futures.ThreadPoolExecutor(suite.at_once) as pool:
        once = list(pool.map(lambda part: both(suite, part, wrapper, False), parts))
    for part, (differ, n) in zip(parts, once):
        cases += n
        all_differ.update(settle(suite, part, wrapper, differ))
    for case, (one, other) in all_differ.items():
        print("%s: natively %s, under usher %s%s" % (case, one, other, " (known: %s)" % suite.known[case] if case in suite.known else ""))
    unknown = set(all_differ) - set(suite.known)
    print("%d cases, %d differ, %d of them not known; %d s" % (cases, len(all_differ), len(unknown), time.monotonic() - began))
    if os.environ.get("DIFFERS"):
        return not unknown
    return bool(unknown) or not cases


if __name__ == "__main__":
    sys.exit(main())
