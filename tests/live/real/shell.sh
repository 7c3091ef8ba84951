# A shell under profiles/shell: pipelines a thousand times, git, tar, job control on a terminal.
. "${0%/*}/common.sh"
need git python3 script
mkdir -p "$DIR/work" "$DIR/other"
run() { "$USHER" run -p "$PROFILES/shell.policy" --audit "$DIR/audit.jsonl" --set "work=$DIR/work" --chdir "$DIR/work" -- "$@"; }

run sh -c 'i=0; while [ $i -lt 1000 ]; do
	[ "$(echo one two | tr a-z A-Z | cut -d" " -f2)" = TWO ] || { echo "round $i"; exit 1; }; i=$((i+1)); done' 2>"$DIR/pipe.err" ||
	fail "a pipeline of three stages: $?"

export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME="$DIR/work"
run sh -ec '
	git init -q -b main one; cd one
	for i in 1 2 3 4 5 6 7 8 9; do echo $i >f$i; git add f$i; git commit -qm "$i"; done
	git gc -q; cd ..
	git clone -q one two; cd two
	test -z "$(git status --porcelain)"; git log --oneline | wc -l; echo x >>f1; git stash -q; git checkout -q -b b HEAD~3; git fsck 2>/dev/null
	cd ..; tar cf - one | (mkdir out && cd out && tar xf -); diff -r one out/one
	find . -type f -name f1 | sort | xargs grep -c . ; ls -la one >/dev/null; cp -a one three; mv three four; rm -rf four' \
	>"$DIR/git.out" 2>"$DIR/git.err" || fail "git and friends: $(tail -n 3 "$DIR/git.err")"
equal "commits" 9 "$(head -n 1 "$DIR/git.out")"
run sh -c 'echo x >../other/file' 2>/dev/null && fail "wrote outside"
run sh -c 'cat /etc/shadow' >/dev/null 2>&1 && fail "read the shadow"
run sh -c 'echo x >one/.git/hooks/pre-commit' 2>/dev/null && fail "planted a hook"
run env "TMPDIR=$DIR/work" apt-cache policy nginx-light >"$DIR/apt.out" 2>"$DIR/apt.err" || fail "apt-cache: $(cat "$DIR/apt.err")"
run sh -c 'kill -TERM $$'
equal "killed by a signal" 143 $?
run /nonexistent 2>/dev/null
equal "not found" 127 $?
run /etc/passwd 2>/dev/null
equal "not executable" 126 $?

# Job control on a terminal of its own: Ctrl-Z, bg, fg, Ctrl-C.
python3 - "$USHER" "$PROFILES/shell.policy" "$DIR/work" <<'PY' || fail "job control"
import os, pty, re, select, sys, time, signal
usher, policy, work = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="READY> ", TERM="dumb", HOME=work)
    os.execv(usher, [usher, "run", "-p", policy, "--set", "work=" + work, "--chdir", work, "--", "/bin/bash", "--norc", "--noprofile", "-i"])
seen = b""
def until(pattern, what):
    global seen
    end = time.time() + 60
    while not re.search(pattern, seen):
        if time.time() > end or not select.select([fd], [], [], max(0, end - time.time()))[0]:
            os.kill(pid, signal.SIGKILL)
            sys.exit(f"{what}: waited for {pattern} in vain:\n{seen.decode(errors='replace')}")
        try:
            seen += os.read(fd, 4096)
        except OSError:
            sys.exit(f"{what}: the terminal is gone:\n{seen.decode(errors='replace')}")
    seen = seen[re.search(pattern, seen).end():]
def say(text):
    os.write(fd, text)
until(rb"READY> ", "prompt")
def foreground():
    """Waits until the terminal is a job's: what is typed before that is the shell's."""
    end = time.time() + 60
    while os.tcgetpgrp(fd) == shell:
        if time.time() > end:
            sys.exit("the terminal stays with the shell")
        time.sleep(0.01)
shell = os.tcgetpgrp(fd)
say(b"sh -c 'echo u''p; exec sleep 100'\n"); until(rb"\nup\r\n", "start"); say(b"\x1a"); until(rb"Stopped", "Ctrl-Z"); until(rb"READY> ", "stopped prompt")
say(b"bg\n"); until(rb"READY> ", "bg")
say(b"jobs\n"); until(rb"Running", "jobs"); until(rb"READY> ", "jobs prompt")
say(b"fg\n"); until(rb"sleep 100", "fg"); foreground(); say(b"\x03"); until(rb"\^C", "Ctrl-C"); until(rb"READY> ", "interrupted prompt")
# Not in one write: until cat reads, the terminal is in the shell's raw mode, where ^D is a byte like others.
say(b"cat | tr a-z A-Z\n"); until(rb"A-Z\r\n", "echo"); say(b"hello\n"); until(rb"HELLO", "pipe"); say(b"\x04"); until(rb"READY> ", "pipe prompt")
say(b"tty; test -t 0 && echo it-is\n"); until(rb"/dev/pts/\d+", "tty"); until(rb"it-is", "isatty"); until(rb"READY> ", "tty prompt")
say(b"echo direct >/dev/tty\n"); until(rb"/dev/tty\r\ndirect", "/dev/tty"); until(rb"READY> ", "/dev/tty prompt")
say(b"exit 5\n")
status = os.waitpid(pid, 0)[1]
assert os.waitstatus_to_exitcode(status) == 5, status
PY
exit 0
