# Programs that mount, under profiles/builder: mount(8), unshare(1), chroot(8), mknod(1); bubblewrap where it may mount by itself; with LONG=1
# complete Debian roots by mmdebstrap and debootstrap, which need a mirror.
. "${0%/*}/common.sh"
need mount unshare chroot bwrap newuidmap
ROOT="$DIR/root"
mkdir -p "$ROOT/proc" "$ROOT/sys" "$ROOT/dev" "$ROOT/run" "$ROOT/tmp" "$ROOT/bin" "$ROOT/etc"
cp "$TOOLS/probe" "$ROOT/bin/probe" 2>/dev/null || cp "${USHER_TEST_PROBE:-/nonexistent}" "$ROOT/bin/probe" || fail "no probe"
outside() { grep -c "$DIR" /proc/self/mountinfo; }
# The test's directory is below /tmp, where base/org.policy forbids programs.
mkdir "$DIR/policy" "$DIR/policy/base"
cp "$PROFILES/base/hardening.policy" "$DIR/policy/base"
sed '/base\/org/d' "$PROFILES/builder.policy" >"$DIR/policy/builder.policy"
build() { "$USHER" run -p "$DIR/policy/builder.policy" --audit "$DIR/audit.jsonl" --set "root=$ROOT" --unshare user,mnt,pid "$@"; }

cat >"$DIR/script" <<'SCRIPT'
set -eu
R=$1
mount -t proc -o nosuid,nodev,noexec proc "$R/proc"
mount -t tmpfs -o size=8M,mode=755 tmpfs "$R/run"
mkdir "$R/dev/pts"
mount -t devpts -o mode=620,ptmxmode=666,newinstance devpts "$R/dev/pts"
for node in null zero tty; do mknod "$R/dev/$node" c $(stat -c '0x%t 0x%T' /dev/$node); done
touch "$R/dev/full"
mount --bind /dev/full "$R/dev/full"
grep -c " $R/" /proc/self/mountinfo
stat -c %F "$R/dev/null" "$R/dev/full"
echo lost >"$R/dev/null"
mknod "$R/test-dev-null" c 1 3	# so does debootstrap
echo test >"$R/test-dev-null"
rm "$R/test-dev-null"
head -c 3 "$R/dev/zero" | od -An -tx1
df -k --output=size "$R/run" | tail -n 1
mount -t tmpfs -o size=1G tmpfs "$R/tmp" 2>/dev/null && echo "too large"
mount --bind /etc "$R/etc" 2>/dev/null && echo "bound /etc"
mount --bind /home "$R/tmp" 2>/dev/null && echo "bound /home"
mount -t tmpfs none /usr 2>/dev/null && echo "mounted on /usr"
echo x 2>/dev/null >"$R/proc/sys/kernel/core_pattern" && echo "wrote through /proc"
echo x 2>/dev/null >/etc/motd && echo "wrote outside"
chroot "$R" /bin/probe open /proc/self/status r
chroot "$R" /bin/probe open /etc/made crw
unshare --mount sh -c "mount -t tmpfs none '$R/tmp' && touch '$R/tmp/inside' && umount '$R/tmp'"
umount "$R/dev/pts" "$R/run" "$R/proc"
umount "$R/dev/full"
grep -c " $R/" /proc/self/mountinfo || true
SCRIPT
build -- sh "$DIR/script" "$ROOT" >"$DIR/out" 2>"$DIR/script.err" || fail "the script: $? $(cat "$DIR/out")"
expected="character special file
character special file
 00 00 00
8192
ok 3
ok 3"
equal "what it said" "$expected" "$(sed '1d;$d' "$DIR/out" | sed 's/^ *\(8192\)$/\1/')"
equal "mounts" 7 "$(head -n 1 "$DIR/out")"
equal "mounts left" 3 "$(tail -n 1 "$DIR/out")"
[ -e "$ROOT/tmp/inside" ] && fail "a file of another namespace"
[ -s "$ROOT/etc/made" ] || [ -e "$ROOT/etc/made" ] || fail "nothing was made in the root"
equal "mounts outside" 0 "$(outside)"

# bubblewrap changes its root: where rules say the same of all names, or where mounts are its own affair.
mkdir -p "$DIR/secret.d"
echo secret >"$DIR/secret.d/key"
# Not below /tmp, which becomes a root: usher's own files would get other names.
own() { env -u XDG_CONFIG_HOME -u XDG_STATE_HOME HOME="$OWN" XDG_RUNTIME_DIR="$OWN" "$USHER" run "$@"; }
OWN=$(mktemp -d /dev/shm/usher-builder-XXXXXX)
cat >"$OWN/bwrap.policy" <<POLICY
syntax 1;
files { default allow; deny write /**/usr/; deny read /**/secret.d/; }
mounts {
	default deny;
	allow mount tmpfs  on /tmp, /newroot/** force nosuid,nodev options mode;
	allow mount bind   from /tmp/newroot on /tmp/newroot;
	allow mount bind   from /oldroot/ on /newroot/;
	allow mount bind   from /newroot/proc/ on /newroot/proc/;
	allow mount remount on /newroot/;
	allow mount devpts on /newroot/dev/pts options newinstance, ptmxmode, mode;
	allow mount proc   on /newroot/proc;
	allow mount mqueue on /newroot/dev/mqueue;
	allow pivot_root   /tmp, /newroot;
}
limits { capabilities all; mounts 1000; }
POLICY
sed 's/deny read .*secret.d/deny read \/etc\/secret.d/' "$OWN/bwrap.policy" >"$OWN/unlike.policy"
for namespaces in --unshare-user --unshare-all; do
	own -p "$OWN/bwrap.policy" -- bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /run $namespaces --die-with-parent \
		sh -c "cat '$DIR/secret.d/key'; echo >/usr/made; echo >/made; touch /run/x && ls /run && cat /proc/self/comm" >"$DIR/bwrap.out" 2>"$DIR/bwrap.err"
	equal "bubblewrap, brokered, $namespaces" "x
cat" "$(cat "$DIR/bwrap.out")"
	equal "what it was refused" 3 "$(grep -c 'Permission denied\|Read-only' "$DIR/bwrap.err")"
done
own -p "$OWN/unlike.policy" -- bwrap --ro-bind / / true 2>/dev/null && fail "bubblewrap changed its root although rules do not follow"
rm -r "$OWN"

cat >"$DIR/native.policy" <<POLICY
syntax 1;
files { default allow; deny read $DIR/secret; }
limits { mounts native; capabilities all; }
POLICY
echo secret >"$DIR/secret"
"$USHER" run -p "$DIR/native.policy" -- bwrap --ro-bind / / --proc /proc --dev /dev --unshare-user --unshare-pid \
	sh -c "cat '$DIR/secret'; echo \$\$ >/dev/null; echo inside" >"$DIR/bwrap.out" 2>"$DIR/bwrap.err"
equal "bubblewrap" inside "$(cat "$DIR/bwrap.out")"
build -- bwrap --ro-bind / / true 2>/dev/null && fail "bubblewrap changed its root"

[ -n "${LONG:-}" ] || exit 0
need mmdebstrap
rm -rf "$ROOT"
ids=--map-subids
[ "$(id -u)" -eq 0 ] && ids=	# all are there
build $ids -- mmdebstrap --mode=root --variant=minbase bookworm "$ROOT" >"$DIR/mmdebstrap.out" 2>"$DIR/mmdebstrap.err" || fail "mmdebstrap: $?"
[ -x "$ROOT/usr/bin/dpkg" ] && [ -s "$ROOT/var/lib/dpkg/status" ] || fail "no system"
equal "half installed" 0 "$(grep -c '^Status:.*half' "$ROOT/var/lib/dpkg/status")"
equal "mounts outside" 0 "$(outside)"

need debootstrap
rm -rf "$ROOT"
mkdir "$ROOT"
container=systemd-nspawn build $ids -- debootstrap --variant=minbase bookworm "$ROOT" >"$DIR/debootstrap.out" 2>"$DIR/debootstrap.err" || fail "debootstrap: $?"
[ -x "$ROOT/usr/bin/dpkg" ] && [ -s "$ROOT/var/lib/dpkg/status" ] || fail "no system"
equal "half installed" 0 "$(grep -c '^Status:.*half' "$ROOT/var/lib/dpkg/status")"
[ -e "$ROOT/dev/null" ] && [ ! -e "$ROOT/test-dev-null" ] || fail "the nodes"
equal "mounts outside" 0 "$(outside)"
exit 0
