# A program of root's that changes its credentials back and forth is served with those it has at each call; and dpkg, which does that.
. "${0%/*}/common.sh"
need python3 dpkg-deb
[ "$(id -u)" -eq 0 ] || exit 0
cat >"$DIR/creds.policy" <<POLICY
syntax 1;
files { default allow; cover all; deny all $DIR/other/; }
POLICY
mkdir -p "$DIR/theirs" "$DIR/root/var/lib/dpkg/info" "$DIR/root/var/lib/dpkg/updates" "$DIR/package/DEBIAN" "$DIR/package/usr/share/hello"
touch "$DIR/theirs/file" "$DIR/root/var/lib/dpkg/status"
chown -R 42:42 "$DIR/theirs"
chmod 700 "$DIR/theirs"
cat >"$DIR/creds.py" <<'PY'
import os, threading, sys
theirs = sys.argv[1] + "/theirs"
def may(path):
    try:
        os.listdir(path)
        return True
    except PermissionError:
        return False
assert may(theirs) and may("/root")
for round in range(20):
    os.seteuid(43); assert not may(theirs) and not may("/root"), round
    os.seteuid(0); assert may(theirs) and may("/root"), round
    os.setegid(42); os.seteuid(42)
    path = f"{theirs}/made{round}"
    open(path, "x").close()
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (42, 42)
    assert not os.access("/root", os.R_OK, effective_ids=True) and os.access("/root", os.R_OK)
    os.seteuid(0); os.setegid(0); os.unlink(path)
pid = os.fork()
if pid == 0:
    os.setgroups([]); os.setgid(44); os.setuid(44)
    os._exit(0 if not may(theirs) and not may("/root") else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print("fine")
PY
equal "credentials" fine "$("$USHER" run -p "$DIR/creds.policy" --quiet -- python3 "$DIR/creds.py" "$DIR" 2>"$DIR/creds.err")"

printf 'Package: hello-usher\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: test\n' >"$DIR/package/DEBIAN/control"
echo hello >"$DIR/package/usr/share/hello/file"
chmod -R go-w "$DIR/package"
run() { "$USHER" run -p "$DIR/creds.policy" --quiet -- "$@" >"$DIR/out" 2>"$DIR/dpkg.err" || fail "$*: $(cat "$DIR/out")"; }
run dpkg-deb -b "$DIR/package" "$DIR/hello.deb"
run dpkg --root="$DIR/root" --force-not-root --force-script-chrootless --log=/dev/null -i "$DIR/hello.deb"
[ -f "$DIR/root/usr/share/hello/file" ] || fail "dpkg unpacked nothing"
exit 0
