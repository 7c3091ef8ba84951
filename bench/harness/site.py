"""What is measured with: a directory of its own, the files in it, and the policies."""
import atexit
import os
import shutil
import subprocess
import tempfile

# Where programs live, which is all that a sealed policy lets them read besides their own trees.
SYSTEM = ["/usr", "/lib", "/lib64", "/etc", "/dev"]


class Site:
    def __init__(self, build, files):
        self.build = os.path.realpath(build)
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="usher-bench."))
        atexit.register(shutil.rmtree, self.work, ignore_errors=True)
        os.chmod(self.work, 0o755)
        self.root = os.getuid() == 0
        for d in ("tree", "secret", "empty", "site", "conf", "logs", "run", "temp", "home", "bin", "repo", "c"):
            os.makedirs(self.path(d))
        os.chmod(self.path("tree"), 0o1777)
        # ext4 passes by every inode freed in the last five seconds: the later its turn, the more a creator pays for those before it.
        self.made = tempfile.mkdtemp(prefix="usher-bench.", dir="/dev/shm")
        atexit.register(shutil.rmtree, self.made, ignore_errors=True)
        os.chmod(self.made, 0o1777)
        # Another user may not reach the build directory.
        for name in ("worker", "bench_floor", "bench_landlock", "bench_rules"):
            shutil.copy(os.path.join(self.build, "bench", name), self.path("bin"))
        self.usher = os.path.join(self.build, "supervisor", "usher")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.path("home"), "LANG": "C.UTF-8", "TMPDIR": self.path("temp")}
        self.target = self.write("tree/file", "x" * 1024)
        self.secret = self.write("secret/file", "not to be read\n")
        self.link = self.path("tree", "link")
        os.symlink(self.target, self.link)
        self.write("site/page.html", "x" * 1024)
        self._sources()
        self._repository(files)
        self._policies()

    def path(self, *names):
        return os.path.join(self.work, *names)

    def tool(self, name):
        return self.path("bin", name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def anonymous(self, text):
        """Without this machine's names."""
        return text.replace(self.work, "WORK").replace(self.build, "BUILD").replace(os.path.expanduser("~"), "HOME")

    def _sources(self):
        for i in range(6):
            self.write(f"c/part{i}.c", "".join(f"#include <{h}.h>\n" for h in ("stdio", "stdlib", "string", "unistd", "errno", "fcntl", "signal", "sys/stat", "pthread", "math"))
                       + f"int part{i}(int n)\n{{\n\treturn n < 2 ? n : part{i}(n - 1) + {i} * (int)strlen(\"usher\");\n}}\n")
        self.write("c/main.c", "".join(f"int part{i}(int);\n" for i in range(6)) + "int main(void)\n{\n\treturn part0(3) > 100;\n}\n")
        self.build_script = self.write("c/build.sh", f"set -e\ncd {self.path('c')}\n"
                                       f"for part in *.c; do cc -O1 -c $part -o {self.path('temp')}/$part.o; done\ncc -o {self.path('temp')}/program {self.path('temp')}/*.o\n")

    def _repository(self, files):
        if not shutil.which("git"):
            return
        for i in range(files):
            path = self.write(f"repo/d{i % 100}/file{i}.txt", f"{i}\n")
            os.utime(path, (1e9, 1e9))  # older than the index: git need not look inside
        for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=b", "-c", "user.email=b@b", "commit", "-q", "-m", "all"], ["status"]):
            subprocess.run(["git", "-C", self.path("repo"), *words], env=self.env, stdout=subprocess.DEVNULL, check=True, timeout=120)

    def _files(self, name, rules, top="", default="deny EACCES"):
        return self.write(f"{name}.policy", f'syntax 1;\npolicy {name} "bench";\nfiles {{\n\tdefault {default};\n\t{rules}\n}}\n{top}\nlimits {{ capabilities all; }}\n')

    def _policies(self):
        secret = f"deny all {self.path('secret')}/;"
        self.plain = self._files("plain", f"allow all /; {secret}")
        self.stats = self._files("stats", f"cover all; allow all /; {secret}")
        self.audited = self._files("audited", f"allow all / audit all; {secret}", "audit { level all; }")
        many = "".join(f"\tallow read {self.work}/many/{i}/;\n\tdeny read **/x{i}*.tmp;\n" for i in range(50000))
        self.many = self._files("many", f"allow all /; {secret}\n{many}")
        # Reading is Landlock's: directory trees, and nothing in them denied. The writable ones themselves must stay where they are.
        self.trees = [tree for tree in SYSTEM if os.path.isdir(tree)] + [self.path(d) for d in ("tree", "site", "conf", "logs", "run", "temp", "home", "bin", "repo", "c")]
        readable = ", ".join(tree + "/" for tree in self.trees)
        self.writable = [self.path(d) for d in ("logs", "run", "temp")] + ["/dev"]
        writable = ", ".join(tree + "/*/" for tree in self.writable[:3])
        self.sealed = self._files("sealed", f"allow ro,exec {readable};\n\tallow write,append,truncate,create,delete,rename,chown,chmod {writable};\n\tallow write /dev/null;",
                                  default="deny EACCES sealed")
        # The same, and the rest is not there.
        with open(self.sealed) as f:
            self.view = self.write("view.policy", f.read().replace("policy sealed", "policy view").replace("deny EACCES sealed", "deny ENOENT view")
                                   + "network {\n\tdefault deny;\n\tallow connect,bind,sendto tcp *:*;\n}\n")
        self.connects = self.write("connects.policy", """syntax 1;
policy connects "bench";
network { default allow; deny connect tcp 192.0.2.0/24:*; }
limits { capabilities all; }
""")
        self.sockets = self.write("sockets.policy", """syntax 1;
policy sockets "bench";
network { default deny; allow connect,bind tcp @loopback; allow connect unix /**; }
limits { capabilities all; }
""")
