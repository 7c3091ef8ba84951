# python3 under profiles/python: imports, compiles, uses threads and pools; reaches nothing else.
. "${0%/*}/common.sh"
need python3
python=/usr/bin/python3
[ -x $python ] || { echo "needs /usr/bin/python3" >&2; exit 77; }
mkdir -p "$DIR/job/pkg"
echo 'x = 1' >"$DIR/job/pkg/__init__.py"
run() { "$USHER" run -p "$PROFILES/python.policy" --audit "$DIR/audit.jsonl" --set "work=$DIR/job" --chdir "$DIR/job" -- "$@"; }
cat >"$DIR/job/work.py" <<'PY'
import sys, os, json, sqlite3, ssl, socket, threading, tempfile, shutil, glob, email, xml.etree.ElementTree, decimal, ctypes.util
import asyncio, logging, unittest, multiprocessing.pool, compileall, zipfile, hashlib, random, datetime, locale, pathlib
assert compileall.compile_dir("pkg", quiet=1)
import pkg
assert pkg.x == 1
with tempfile.TemporaryDirectory(dir=".") as d:
    for i in range(50):
        pathlib.Path(d, f"f{i}").write_text(str(i))
    assert sorted(int(p.read_text()) for p in pathlib.Path(d).iterdir()) == list(range(50))
    with zipfile.ZipFile(os.path.join(d, "a.zip"), "w") as z:
        z.write("work.py")
    shutil.copytree("pkg", os.path.join(d, "copy"))
    db = sqlite3.connect(os.path.join(d, "db"))
    db.execute("create table t (x)")
    with db:
        db.executemany("insert into t values (?)", [(i,) for i in range(100)])
    assert db.execute("select sum(x) from t").fetchone() == (4950,)
results = []
threads = [threading.Thread(target=lambda: results.append(open("work.py").read())) for _ in range(32)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(set(results)) == 1 and len(results) == 32
with multiprocessing.pool.ThreadPool(4) as pool:
    assert pool.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
pid = os.fork()
if pid == 0:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
for path in ("/etc/shadow", "/root/.ssh/id_rsa", "/var/log/dpkg.log"):
    try:
        open(path)
        sys.exit(f"read {path}")
    except PermissionError:
        pass
try:
    os.execv("/bin/true", ["true"])
    sys.exit("ran /bin/true")
except PermissionError:
    pass
print("fine", len(sys.modules) > 100)
PY
equal "work" "fine True" "$(run $python work.py 2>"$DIR/python.err")"
run $python -c 'import sys; sys.exit(3)'
equal "status" 3 $?
exit 0
