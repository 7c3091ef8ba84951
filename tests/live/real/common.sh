# Sourced by the cases. From live_real.c: $USHER, $PROFILES, $TOOLS (directories), $DIR (empty, ours, no symlink in it).
set -u
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8	# initdb insists on a locale that is installed
unset TMPDIR
fail() {
	echo "FAILED: $*" >&2
	for file in "$DIR"/*.err "$DIR"/logs/*.log; do
		[ -s "$file" ] && { echo "--- $file" >&2; tail -n 15 "$file" >&2; }
	done
	exit 1
}
need() {
	for program; do
		command -v "$program" >/dev/null 2>&1 || { echo "needs $program (scripts/packages test)" >&2; exit 77; }
	done
}
# A TCP port that is free now.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# Waits for a condition, at most 15 s.
until_true() {
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ $i -lt 300 ] || return 1
		sleep 0.05
	done
}
equal() { # what, expected, actual
	[ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
