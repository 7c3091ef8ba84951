# Servers and clients of every kind, natively and with every connect, bind and send brokered and allowed on both sides: what they say is the same.
. "${0%/*}/common.sh"
need nginx curl wget redis-server redis-cli redis-benchmark git fcgiwrap ssh sshd scp sftp ssh-keygen python3
bin=$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null) || { echo "needs postgresql (scripts/packages test)" >&2; exit 77; }
cat >"$DIR/all.policy" <<'POLICY'
syntax 1;
files { default allow; cover all; }
network { default allow audit all; }
limits { capabilities all; }
POLICY
"$USHER" check --plan "$DIR/all.policy" | grep -q '^broker .*addresses' || fail "addresses are not brokered"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME="$DIR" http_proxy= no_proxy=
under= pids=
trap 'kill -KILL $pids 2>/dev/null' EXIT
serve() { # NAME, program...: in the background
	name=$1; shift
	$under "$@" >"$DIR/$name.out" 2>"$DIR/$name.err" &
	pids="$pids $!"
}
# What a client answers: its status, and what it fetched or said.
says() { # what, program...
	what=$1; shift
	text=$($under "$@" 2>"$DIR/client.err")
	echo "$what: $? $(echo "$text" | cksum)"
}
well() { # what, program...: one of which the numbers vary
	what=$1; shift
	$under "$@" >"$DIR/client.out" 2>"$DIR/client.err"
	echo "$what: $? $(cat "$DIR/client.out" "$DIR/client.err" | grep -ci 'error\|could not\|refused\|reset by peer')"
}

# ---- what they serve
mkdir -p "$DIR/www" "$DIR/temp" "$DIR/data" "$DIR/pg" "$DIR/sock" "$DIR/ssh"
chmod 755 "$DIR"
head -c 3000000 /dev/urandom >"$DIR/www/large"
echo small >"$DIR/www/small"
git init -q "$DIR/work" && git -C "$DIR/work" commit -q --allow-empty -m first && git clone -q --bare "$DIR/work" "$DIR/repo.git" || fail git
git -C "$DIR/repo.git" config http.receivepack true
owner= user=
[ "$(id -u)" -ne 0 ] || { chown postgres "$DIR/pg"; chmod 1777 "$DIR/sock"; owner='setpriv --reuid postgres --regid postgres --init-groups' user='--user postgres'; }
(cd "$DIR/pg" && $owner "$bin/initdb" -D "$DIR/pg/data" -U test -A trust --no-sync) >"$DIR/initdb.out" 2>&1 || fail "initdb: $(tail -n 5 "$DIR/initdb.out")"
ssh-keygen -q -t ed25519 -N '' -f "$DIR/ssh/host" && ssh-keygen -q -t ed25519 -N '' -f "$DIR/ssh/key" && cp "$DIR/ssh/key.pub" "$DIR/ssh/authorized" || fail ssh-keygen
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
port=$(free_port) redis=$(free_port) postgres=$(free_port) sshd=$(free_port) tunnel=$(free_port) nobody=$(free_port)
cat >"$DIR/nginx.conf" <<CONF
$([ "$(id -u)" -ne 0 ] || echo 'user root;') worker_processes 2; daemon off; pid $DIR/nginx.pid; error_log $DIR/nginx.log;
events {}
http {
	access_log off; client_body_temp_path $DIR/temp/body; proxy_temp_path $DIR/temp/proxy; fastcgi_temp_path $DIR/temp/fastcgi;
	uwsgi_temp_path $DIR/temp/uwsgi; scgi_temp_path $DIR/temp/scgi; client_max_body_size 100m;
	server {
		listen 127.0.0.1:$port; listen unix:$DIR/sock/nginx; root $DIR/www;
		location /far/ { proxy_pass http://127.0.0.1:$port/; }
		location /gone/ { proxy_pass http://127.0.0.1:$nobody/; }
		location ~ ^/git(/.*)\$ {
			fastcgi_pass unix:$DIR/sock/fcgi;
			fastcgi_param SCRIPT_FILENAME $(git --exec-path)/git-http-backend; fastcgi_param GIT_PROJECT_ROOT $DIR;
			fastcgi_param GIT_HTTP_EXPORT_ALL ''; fastcgi_param PATH_INFO \$1; fastcgi_param QUERY_STRING \$query_string;
			fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param CONTENT_TYPE \$content_type; fastcgi_param REMOTE_USER a;
		}
	}
}
CONF
# Without PAM sshd lets nobody in whose password is locked.
case $(getent shadow root) in root:!*) pam=yes ;; *) pam=no ;; esac
cat >"$DIR/ssh/config" <<CONF
ListenAddress 127.0.0.1:$sshd
HostKey $DIR/ssh/host
AuthorizedKeysFile $DIR/ssh/authorized
StrictModes no
UsePAM $pam
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
CONF
options="-F none -i $DIR/ssh/key -o IdentitiesOnly=yes -o UserKnownHostsFile=$DIR/ssh/known -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"

web() {
	serve nginx nginx -c "$DIR/nginx.conf"
	until_true curl -sf "http://127.0.0.1:$port/small" || fail "nginx does not answer"
	for file in small large none far/large far/none gone/small; do
		says "curl $file" curl -s -w '%{http_code}' "http://127.0.0.1:$port/$file"
		says "wget $file" wget -q -O - --tries=1 "http://127.0.0.1:$port/$file"
	done
	says "curl, many on one connection" curl -s "http://127.0.0.1:$port/small?[1-50]"
	says "curl, several at once" curl -s -Z --parallel-immediate -o /dev/null -w '%{http_code} ' "http://127.0.0.1:$port/large?[1-20]"
	says "curl by path" curl -s --unix-socket "$DIR/sock/nginx" http://here/large
	says "curl over IPv4 mapped into IPv6" curl -s "http://[::ffff:127.0.0.1]:$port/small"
	says "curl from an address" curl -s --interface 127.0.0.2 "http://127.0.0.1:$port/small"
	says "curl to nobody" curl -s "http://127.0.0.1:$nobody/"
	says "wget to nobody" wget -q -O - --tries=1 "http://127.0.0.1:$nobody/"
}
git_over_http() {
	rm -f "$DIR/sock/fcgi"
	serve fcgiwrap fcgiwrap -s "unix:$DIR/sock/fcgi"
	until_true python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$DIR/sock/fcgi" || fail "fcgiwrap does not listen"
	rm -rf "$DIR/clone" "$DIR/again"
	says "git clone" git clone -q "http://127.0.0.1:$port/git/repo.git" "$DIR/clone"
	cp "$DIR/www/large" "$DIR/clone/file${under:+2}" && git -C "$DIR/clone" add . && git -C "$DIR/clone" commit -qm more
	says "git push" git -C "$DIR/clone" push -q origin HEAD
	says "git clone again" git clone -q "http://127.0.0.1:$port/git/repo.git" "$DIR/again"
	echo "what was cloned: $(git -C "$DIR/again" diff --stat HEAD^ HEAD | wc -l) $(git -C "$DIR/again" fsck 2>&1 | cksum)"
	says "git clone of nothing" git clone -q "http://127.0.0.1:$port/git/none.git" "$DIR/none"
}
cache() {
	serve redis redis-server --port "$redis" --bind 127.0.0.1 --unixsocket "$DIR/sock/redis" --dir "$DIR/data" --save ''
	until_true redis-cli -p "$redis" ping || fail "redis does not answer"
	well "redis-benchmark" redis-benchmark -p "$redis" -q -n 20000 -c 50 -t set,get,incr,lpush
	well "redis-benchmark, in pipelines" redis-benchmark -p "$redis" -q -n 20000 -c 20 -P 16 -t set,get
	well "redis-benchmark, a connection each" redis-benchmark -p "$redis" -q -n 1000 -c 20 -k 0 -t set,get
	well "redis-benchmark by path" redis-benchmark -s "$DIR/sock/redis" -q -n 20000 -c 50 -t set,get
	says "redis-cli" redis-cli -p "$redis" get key:__rand_int__
	says "redis-cli to nobody" redis-cli -p "$nobody" ping
	redis-cli -p "$redis" shutdown nosave 2>/dev/null
}
database() (
	under=$owner pids=
	cd "$DIR/pg" || exit 1
	serve postgres "$bin/postgres" -D "$DIR/pg/data" -k "$DIR/sock" -p "$postgres" -c listen_addresses=127.0.0.1
	trap 'kill -KILL $pids 2>/dev/null' EXIT
	until_true "$bin/pg_isready" -q -h 127.0.0.1 -p "$postgres" || fail "postgres does not answer"
	for host in 127.0.0.1 "$DIR/sock"; do
		to="-h $host -p $postgres -U test"
		well "pgbench -i $host" "$bin/pgbench" $to -i -q -s 1 postgres
		well "pgbench $host" "$bin/pgbench" $to -n -c 4 -j 2 -t 100 postgres
		grep -q 'actually processed: 400/400' "$DIR/client.out" || fail "pgbench: $(cat "$DIR/client.out")"
		well "pgbench -C $host" "$bin/pgbench" $to -n -C -S -c 4 -j 2 -t 25 postgres
		says "psql $host" "$bin/psql" $to -Atc 'select count(*), sum(aid), inet_server_port() from pgbench_accounts' postgres
	done
	says "psql to nobody" "$bin/psql" -h 127.0.0.1 -p "$nobody" -U test -Atc 'select 1' postgres
	trap - EXIT
	kill -INT $pids
	wait $pids
	echo "postgres: $?"
)
shell() {
	rm -f "$DIR/ssh/known" "$DIR/ssh/mux"
	serve sshd /usr/sbin/sshd -D -e -f "$DIR/ssh/config"
	until_true sh -c "ssh-keyscan -p $sshd 127.0.0.1 2>/dev/null | grep -q ed25519" || fail "sshd does not answer"
	me=root@127.0.0.1
	says "ssh" ssh $options -p "$sshd" "$me" "cat $DIR/www/large; echo \$((6 * 7)); exit 3"
	says "ssh, input" sh -c "ssh $options -p $sshd $me cksum <'$DIR/www/large'"
	rm -f "$DIR/copy"
	says "scp to it" scp -q $options -P "$sshd" "$DIR/www/large" "$me:$DIR/copy"
	cmp "$DIR/www/large" "$DIR/copy" || fail "scp"
	says "scp from it" scp -q $options -P "$sshd" "$me:$DIR/www/large" "$DIR/copy2"
	cmp "$DIR/www/large" "$DIR/copy2" || fail "scp"
	printf 'cd %s\nls -1 small\nget large copy3\nput copy3 copy4\nrm copy4\nbye\n' "$DIR/www" >"$DIR/batch"
	(cd "$DIR" && says "sftp" sftp -q $options -P "$sshd" -b "$DIR/batch" "$me")
	# One connection for several, which hands descriptors over a unix socket; and a tunnel.
	serve master ssh $options -p "$sshd" -N -M -S "$DIR/ssh/mux" -L "127.0.0.1:$tunnel:127.0.0.1:$port" "$me"
	until_true test -S "$DIR/ssh/mux" || fail "ssh -M has no socket"
	says "through the tunnel" curl -s "http://127.0.0.1:$tunnel/large"
	says "ssh -S" ssh $options -p "$sshd" -S "$DIR/ssh/mux" "$me" "echo over the other"
	says "scp -S" scp -q $options -P "$sshd" -o "ControlPath=$DIR/ssh/mux" "$me:$DIR/www/large" "$DIR/copy5"
	says "ssh -O exit" ssh $options -p "$sshd" -S "$DIR/ssh/mux" -O exit "$me"
	says "ssh to nobody" ssh $options -p "$nobody" "$me" true
}
all() {
	web
	git_over_http
	cache
	database || exit 1
	[ "$(id -u)" -ne 0 ] || shell
	kill -TERM $pids 2>/dev/null
	wait
	pids=
}
all >"$DIR/natively" || exit 1
under="$USHER run -q -p $DIR/all.policy --audit $DIR/audit.jsonl"
owner="$under $user --" under="$under --"
all >"$DIR/brokered" || exit 1
diff "$DIR/natively" "$DIR/brokered" >"$DIR/differ.err" || fail "< natively, > brokered"
grep -Ev ': 0( |$)|^ssh: 3 |nobody|none|gone|nothing|what was cloned: 2' "$DIR/natively" && fail "not even natively"
python3 - "$DIR/audit.jsonl" <<'PY' || fail "not all of it was brokered"
import json, os, sys
seen = set()
for line in open(sys.argv[1]):
    record = json.loads(line)
    details = record["details"]
    assert record["action"] != "deny", line
    seen.add((details.get("op"), details.get("proto", "unix"), record["process"]["exe"].split("/")[-1]))
sshd = " ssh sshd" if os.getuid() == 0 else ""	# who alone may let others in
for op, clients in ("connect", "curl wget nginx redis-cli redis-benchmark pgbench psql git-remote-http" + sshd), ("bind", "nginx postgres" + sshd):
    for client in clients.split():
        assert (op, "tcp", client) in seen, (op, client)
for op, clients in ("connect", "curl nginx redis-benchmark pgbench psql"), ("bind", "nginx fcgiwrap postgres" + sshd[:4]):
    for client in clients.split():
        assert (op, "unix", client) in seen, (op, client)
PY
exit 0
