# usher learn on real programs: the policy that it proposes lets the same work pass, and other work, and opens no system directory.
. "${0%/*}/common.sh"
need nginx curl redis-server redis-cli python3 git
bin=$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null) || { echo "needs postgresql (scripts/packages test)" >&2; exit 77; }
python=/usr/bin/python3
ln -s "$PROFILES/base" "$DIR/base"
port=$(free_port)
usher=
trap '[ -z "$usher" ] || kill -KILL $usher 2>/dev/null' EXIT

# Nothing of the system as a whole, whatever was done there.
modest() {
	for tree in / /etc/ /home/ /proc/ /proc/self/ /usr/ /var/ /tmp/ /dev/ /sys/ /root/; do
		grep -Eq "^[[:space:]]*allow [a-z,]+ +$tree(\*\*)?;" "$1" && fail "$1 has a rule on $tree: $(cat "$1")"
	done
	"$USHER" check -q "$1" >"$DIR/check.out" 2>&1 || fail "check $1: $(cat "$DIR/check.out")"
	for secret in /etc/shadow /root/.ssh/id_rsa /var/log/dpkg.log; do
		"$USHER" why -p "$1" read $secret >/dev/null 2>&1 && fail "$1 opens $secret"
	done
	grep -q '# [0-9]* files\{0,1\}, ' "$1" || fail "$1 has no evidence"
}

stop() {
	kill -TERM $usher
	wait $usher
	equal "$1: exit status" 0 $?
	usher=
}

# NAME, then the same command under learn and twice under what was learnt.
launch() { # learn|run, policy, audit: the rest is the program
	how=$1 policy=$2
	shift 2
	if [ "$how" = learn ]; then
		"$USHER" learn -o "$policy" $user -- "$@" >"$DIR/learn.out" 2>"$DIR/learn.err" &
	else
		"$USHER" run -p "$policy" --audit "$DIR/audit.jsonl" $user -- "$@" >"$DIR/run.out" 2>"$DIR/run.err" &
	fi
	usher=$!
}
user=

# ---- nginx: other pages, and an error page
nginx_pages
nginx_conf ''
serve_nginx() { # how, pages
	launch "$1" "$DIR/nginx.policy" nginx -c "$DIR/conf/nginx.conf" -g 'daemon off;'
	until_true curl -sf "http://127.0.0.1:$port/p1.html" || fail "nginx ($1) does not answer: $(cat "$DIR"/*.err)"
	for page in $2; do
		equal "nginx ($1) $page" 200 "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/$page")"
	done
	equal "nginx ($1) missing" 404 "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/none.html")"
	stop "nginx ($1)"
}
first='p1.html p2.html p3.html p4.html css/s1.css css/s2.css css/s3.css css/s4.css'
serve_nginx learn "$first"
modest "$DIR/nginx.policy"
serve_nginx run "$first"
serve_nginx run 'p1.html p7.html p8.html css/s8.css'
grep -q '"action":"deny"' "$DIR/audit.jsonl" && fail "nginx: $(grep '"action":"deny"' "$DIR/audit.jsonl" | head -3)"

# ---- redis: a snapshot, an append-only file, another database
mkdir -p "$DIR/data"
serve_redis() { # how, commands
	launch "$1" "$DIR/redis.policy" redis-server --port "$port" --dir "$DIR/data" --save '' --appendonly yes
	until_true redis-cli -p "$port" ping || fail "redis ($1) does not answer: $(cat "$DIR"/*.err)"
	eval "$2"
	redis-cli -p "$port" shutdown save 2>/dev/null
	wait $usher
	equal "redis ($1): exit status" 0 $?
	usher=
}
save() {
	redis-cli -p "$port" bgsave >/dev/null
	until_true sh -c "redis-cli -p $port info persistence | grep -q rdb_bgsave_in_progress:0" || fail "bgsave"
	equal "redis: bgsave" ok "$(redis-cli -p "$port" info persistence | sed -n 's/rdb_last_bgsave_status:\([a-z]*\).*/\1/p')"
}
serve_redis learn 'redis-cli -p $port set a 1 >/dev/null; save; redis-cli -p $port bgrewriteaof >/dev/null'
modest "$DIR/redis.policy"
serve_redis run 'equal "redis: kept" 1 "$(redis-cli -p $port get a)"; save'
serve_redis run 'redis-cli -p $port -n 3 set b 2 >/dev/null; save; redis-cli -p $port config set appendonly no >/dev/null; save'
serve_redis run 'equal "redis: kept" 1 "$(redis-cli -p $port get a)"'
redis-cli --version >/dev/null

# ---- python: a job on files
mkdir -p "$DIR/job/in" "$DIR/job/out"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$DIR/job/in/n$i.txt"; done
cat >"$DIR/job/job.py" <<'PY'
import sys, os, json, tempfile, sqlite3, shutil, threading, multiprocessing.pool, socket
names = sys.argv[1:]
total = 0
os.chdir(os.path.dirname(os.path.abspath(__file__)))
with tempfile.TemporaryDirectory(dir="out") as d:
    for name in names:
        total += int(open(f"in/{name}.txt").read())
        shutil.copy(f"in/{name}.txt", d)
    db = sqlite3.connect(os.path.join(d, "db"))
    db.execute("create table t (x)")
    with db:
        db.executemany("insert into t values (?)", [(i,) for i in range(total)])
    with multiprocessing.pool.ThreadPool(4) as pool:
        assert sorted(pool.map(abs, range(-3, 0))) == [1, 2, 3]
for name in names:
    with open(f"out/{name}.json.new", "w") as f:
        json.dump({"n": name}, f)
    os.rename(f"out/{name}.json.new", f"out/{name}.json")
print(total)
PY
job() { "$USHER" run -p "$DIR/python.policy" --audit "$DIR/audit.jsonl" -- $python -B "$DIR/job/job.py" "$@" 2>"$DIR/python.err"; }
equal "python (learn)" "10
$DIR/python.policy" "$("$USHER" learn -o "$DIR/python.policy" -- $python -B "$DIR/job/job.py" n1 n2 n3 n4 2>"$DIR/python.err" | sed 's/: observed.*//; /^--tight/d')"
modest "$DIR/python.policy"
equal "python, again" 10 "$(job n1 n2 n3 n4)"
equal "python, other files" 23 "$(job n6 n8 n9)"

# ---- git: other commits, a branch, a merge
cat >"$DIR/work.sh" <<'SH'
cd "$1" && shift || exit 1
[ -d .git ] || { git init -q . && git config user.email a@b && git config user.name a || exit 1; }
for name; do
	echo "$name" >"$name" && git add "$name" && git commit -qm "$name" || exit 1
	git checkout -q -b "of-$name" && echo more >>"$name" && git commit -qam more && git checkout -q - && git merge -q "of-$name" -m merge || exit 1
done
git gc -q && git fsck --no-progress >/dev/null && git log --oneline | wc -l
SH
mkdir "$DIR/repo"
export HOME=$DIR
git=$DIR/git.policy
"$USHER" learn -o "$git" -- sh "$DIR/work.sh" "$DIR/repo" one two three >"$DIR/git.out" 2>"$DIR/git.err" || fail "learn git: $(cat "$DIR/git.err")"
modest "$git"
work() { "$USHER" run -p "$git" --audit "$DIR/audit.jsonl" -- sh "$DIR/work.sh" "$DIR/repo" "$@" 2>"$DIR/git.err"; }
equal "git, more" 10 "$(work four five)"
rm -rf "$DIR/repo" && mkdir "$DIR/repo"
equal "git, again" 6 "$(work one two three)"

# ---- postgres: other tables, another database
mkdir -p "$DIR/pg" "$DIR/sock"
[ "$(id -u)" -ne 0 ] || { user="--user postgres --chdir $DIR/pg"; chown postgres "$DIR/pg" "$DIR/sock"; }
as() { [ "$(id -u)" -ne 0 ] && { "$@"; return; }; (cd "$DIR/pg" && setpriv --reuid postgres --regid postgres --init-groups "$@"); }
as "$bin/initdb" -D "$DIR/pg/data" -U test -A trust --no-sync >"$DIR/initdb.out" 2>&1 || fail "initdb: $(tail -n 5 "$DIR/initdb.out")"
sql() { echo "$1" | "$bin/psql" -h "$DIR/sock" -p "$port" -U test -v ON_ERROR_STOP=1 -Atq "${2:-postgres}" 2>"$DIR/psql.err"; }
serve_postgres() { # how, commands
	launch "$1" "$DIR/postgres.policy" "$bin/postgres" -D "$DIR/pg/data" -k "$DIR/sock" -p "$port" -c listen_addresses=127.0.0.1
	until_true "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" || fail "postgres ($1) does not answer: $(cat "$DIR"/*.err)"
	eval "$2"
	stop "postgres ($1)"
}
serve_postgres learn 'sql "create table t as select generate_series(1, 20000) x; create index on t (x); checkpoint; vacuum full t" || fail learn; sql "create database a template template0" || fail "create database (learn)"; sql "create table u as select 1 y" a || fail learn'
modest "$DIR/postgres.policy"
serve_postgres run 'equal "postgres, kept" 20000 "$(sql "select count(*) from t")"; sql "vacuum full t; analyze" || fail "vacuum: $(cat "$DIR/psql.err")"'
serve_postgres run 'sql "create database b template template0" || fail "create database: $(cat "$DIR/psql.err")"; sql "create table v as select generate_series(1, 50000) y; create index on v (y); checkpoint" b || fail "other tables: $(cat "$DIR/psql.err")"; equal "postgres, other" 50000 "$(sql "select count(*) from v" b)"; sql "drop table t; drop database a" ; equal "postgres, dropped" 0 "$(sql "select count(*) from pg_database where datname = '"'a'"'")"'
exit 0
