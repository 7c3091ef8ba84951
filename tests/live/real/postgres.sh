# initdb, postgres, psql and pgbench under profiles/postgres. Root runs them as the user postgres with --user.
. "${0%/*}/common.sh"
bin=$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null) || { echo "needs postgresql (scripts/packages test)" >&2; exit 77; }
need python3
port=$(free_port)
mkdir -p "$DIR/pg" "$DIR/run"
user=
[ "$(id -u)" -ne 0 ] || { user='--user postgres'; chown postgres "$DIR/pg" "$DIR/run"; chmod 755 "$DIR"; }
run() {
	"$USHER" run -p "$PROFILES/postgres.policy" --audit "$DIR/audit.jsonl" --set "data=$DIR/pg" --set "run=$DIR/run" \
		$user --chdir "$DIR/pg" -- "$@"
}
run "$bin/initdb" -D "$DIR/pg/data" -U test -A trust --no-sync >"$DIR/initdb.out" 2>"$DIR/initdb.err" || fail "initdb: $(tail -n 5 "$DIR/initdb.out")"
"$USHER" run -p "$PROFILES/postgres.policy" --audit "$DIR/audit.jsonl" --set "data=$DIR/pg" --set "run=$DIR/run" $user --chdir "$DIR/pg" \
	-- "$bin/postgres" -D "$DIR/pg/data" -k "$DIR/run" -p "$port" -c listen_addresses=127.0.0.1 >"$DIR/postgres.out" 2>"$DIR/postgres.err" &
usher=$!
trap 'kill -KILL $usher 2>/dev/null' EXIT
until_true "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" || fail "postgres does not answer"
client() { program=$1; shift; run "$bin/$program" -h "$DIR/run" -p "$port" -U test "$@"; }
client pgbench -q -i -s 1 postgres >"$DIR/init.out" 2>"$DIR/init.err" || fail "pgbench -i"
client pgbench -n -c 4 -j 2 -T 3 postgres >"$DIR/pgbench.out" 2>"$DIR/pgbench.err" || fail "pgbench"
grep -q 'number of failed transactions: 0' "$DIR/pgbench.out" || fail "pgbench: $(cat "$DIR/pgbench.out")"
"$bin/pgbench" -n -h 127.0.0.1 -p "$port" -U test -c 2 -T 1 postgres >/dev/null 2>&1 || fail "pgbench over TCP"
equal "a query" 100000 "$(client psql -Atc 'select count(*) from pgbench_accounts' postgres 2>/dev/null)"
client psql -c "create database other template template0" postgres >/dev/null 2>"$DIR/psql.err" || fail "create database"
client psql -c "copy (select 1) to '$DIR/outside'" postgres >/dev/null 2>&1 && fail "wrote outside"
client psql -c "copy (select 1) to program 'touch $DIR/pg/ran'" postgres >/dev/null 2>&1
[ ! -e "$DIR/pg/ran" ] || fail "COPY PROGRAM ran"
kill -TERM $usher
wait $usher
equal "exit status" 0 $?
trap - EXIT
exit 0
