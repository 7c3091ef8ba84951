# The profiles about addresses, with real clients and servers on loopback; as root again in a network namespace of its own.
. "${0%/*}/common.sh"
need python3 curl redis-server redis-cli git
if [ "${1:-}" != inside ] && [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null; then
	mkdir "$DIR/ns"
	DIR=$DIR/ns unshare -n sh -c "ip link set lo up && exec sh '$0' inside" || fail "in a namespace of its own"
fi
pids=
trap 'kill -KILL $pids 2>/dev/null' EXIT
mkdir -p "$DIR/www" "$DIR/run"
echo hello >"$DIR/www/index.html"
git init -q "$DIR/work" && git -C "$DIR/work" -c user.name=t -c user.email=t@t commit -q --allow-empty -m first
git clone -q --bare "$DIR/work" "$DIR/www/repo.git" && git -C "$DIR/www/repo.git" update-server-info || fail "git"
upstream=$(free_port)
python3 -m http.server -b 127.0.0.1 -d "$DIR/www" "$upstream" >"$DIR/http.out" 2>"$DIR/http.err" & pids="$pids $!"
other=$(free_port)
python3 -m http.server -b 127.0.0.1 -d "$DIR/www" "$other" >"$DIR/other.out" 2>"$DIR/other.err" & pids="$pids $!"
database=$(free_port)
redis-server --port "$database" --bind 127.0.0.1 --unixsocket "$DIR/run/redis.sock" --dir "$DIR/run" --save '' >"$DIR/redis.out" 2>&1 & pids="$pids $!"
until_true curl -sf "http://127.0.0.1:$upstream/" && until_true curl -sf "http://127.0.0.1:$other/" && until_true redis-cli -p "$database" ping || fail "servers"
usher() { # PROFILE, variables..., --, program...
	profile=$1; shift
	"$USHER" run -q -p "$PROFILES/$profile.policy" --audit "$DIR/audit.jsonl" "$@"
}
denied() { grep -c '"action":"deny"' "$DIR/audit.jsonl"; }

# An application: its upstream, its database over TCP and by path, and one port of its own.
serve=$(free_port)
app() { usher app --set "listen=127.0.0.1:$serve" --set "upstream=127.0.0.1:$upstream" --set "database=127.0.0.1:$database" --set "sockets=$DIR/run/*.sock" -- "$@"; }
equal upstream hello "$(app curl -s "http://127.0.0.1:$upstream/")"
equal "upstream by another name for it" hello "$(app curl -s "http://[::ffff:127.0.0.1]:$upstream/")"
equal database PONG "$(app redis-cli -p "$database" ping)"
equal "database by path" PONG "$(app redis-cli -s "$DIR/run/redis.sock" ping)"
app curl -s "http://127.0.0.1:$other/" && fail "another server was reached"
app curl -s "http://127.0.0.2:$upstream/" && fail "another address was reached"
app redis-cli -s "$DIR/run/other.sock" ping 2>/dev/null | grep -q PONG && fail "another socket was reached"
"$USHER" run -q -p "$PROFILES/app.policy" --audit "$DIR/audit.jsonl" --set "listen=127.0.0.1:$serve" --set "upstream=127.0.0.1:$upstream" \
	--set "database=127.0.0.1:$database" --set "sockets=$DIR/run/*.sock" -- \
	python3 -m http.server -b 127.0.0.1 -d "$DIR/www" "$serve" >"$DIR/app.out" 2>"$DIR/app.err" & pids="$pids $!"
until_true curl -sf "http://127.0.0.1:$serve/" || fail "the application does not serve"
app python3 -m http.server -b 127.0.0.1 "$(free_port)" >/dev/null 2>&1 && fail "it served on another port"
app redis-benchmark -p "$database" -q -n 5000 -c 20 -t set,get >"$DIR/bench" 2>&1 || fail "redis-benchmark: $(cat "$DIR/bench")"

# An agent: hosts by name, pinned in /etc/hosts.
agent() { usher agent --set "reach=localhost:$upstream" -- "$@"; }
equal "by name" hello "$(agent curl -s -4 "http://localhost:$upstream/")"
agent curl -s "http://localhost:$other/" && fail "another port was reached"
agent curl -s "http://127.0.0.2:$upstream/" && fail "another address was reached"
agent curl -s --max-time 5 http://169.254.169.254/ && fail "metadata was reached"
agent git clone -q "http://localhost:$upstream/repo.git" "$DIR/clone" || fail "git clone"
equal "what was cloned" first "$(git -C "$DIR/clone" log --format=%s)"
agent git clone -q "http://localhost:$other/repo.git" "$DIR/clone2" 2>/dev/null && fail "cloned from elsewhere"
grep -q '"name":"localhost"' "$DIR/audit.jsonl" || agent curl -s "http://127.0.0.1:$other/"
equal "asyncio and threads" ok "$(agent python3 - "$upstream" <<'PY'
import asyncio, sys, threading, urllib.request, socket
port = int(sys.argv[1])
async def one():
    r, w = await asyncio.open_connection("127.0.0.1", port)
    w.write(b"GET / HTTP/1.0\r\n\r\n")
    data = await r.read()
    w.close()
    return data.endswith(b"hello\n")
async def many():
    return all(await asyncio.gather(*[one() for _ in range(20)]))
assert asyncio.run(many())
def work():
    for _ in range(5):
        assert urllib.request.urlopen("http://127.0.0.1:%d/" % port).read() == b"hello\n"
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
s = socket.create_connection(("127.0.0.1", port), timeout=30)
assert s.getpeername() == ("127.0.0.1", port)
try:
    socket.create_connection(("127.0.0.1", 1), timeout=5)
except PermissionError:
    print("ok")
PY
)"

# No network at all.
before=$(denied)
usher offline -- curl -s "http://127.0.0.1:$upstream/" && fail "offline, and reached"
usher offline -- redis-cli -s "$DIR/run/redis.sock" ping 2>/dev/null | grep -q PONG && fail "offline, and reached by path"
usher offline -- python3 -c 'import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try: socket.socket(type=kind).connect(("127.0.0.1", 53))
    except OSError as e: assert e.errno == 101, e
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"' || fail "offline, from python"
[ "$(denied)" -gt "$before" ] || fail "nothing was recorded"

# A resolver: a name server that knows one name; port 53 where we may have it.
ask=$(free_port)
[ "${1:-}" = inside ] && ask=53
cat >"$DIR/dns.py" <<'PY'
import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    s.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2\7", who)
PY
python3 "$DIR/dns.py" "$ask" 2>"$DIR/dns.err" & pids="$pids $!"
cat >"$DIR/ask.py" <<'PY'
import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.settimeout(30)
q = b"ab\1\0\0\1\0\0\0\0\0\0\4host\7example\0\0\1\0\1"
address = (sys.argv[2], int(sys.argv[3]))
if sys.argv[1] == "connect":
    s.connect(address)
    s.send(q)
else:
    s.sendto(q, address)
print(socket.inet_ntoa(s.recv(512)[-4:]))
PY
until_true python3 "$DIR/ask.py" connect 127.0.0.1 "$ask" || fail "the name server does not answer"
for how in connect send; do
	equal "$how" 192.0.2.7 "$(usher resolver --set "servers=127.0.0.1:$ask" -- python3 "$DIR/ask.py" $how 127.0.0.1 "$ask")"
	usher resolver --set "servers=127.0.0.1:$ask" -- python3 "$DIR/ask.py" $how 127.0.0.2 "$ask" 2>/dev/null && fail "$how: another server was asked"
done
usher resolver --set "servers=127.0.0.1:$ask" -- curl -s "http://127.0.0.1:$upstream/" && fail "the resolver reached a web server"
for program in dig; do
	command -v $program >/dev/null 2>&1 || continue
	equal $program 192.0.2.7 "$(usher resolver --set "servers=127.0.0.1:$ask" -- $program +short -p "$ask" @127.0.0.1 host.example)"
done
kill -KILL $pids 2>/dev/null
trap - EXIT
exit 0
