# redis-server and redis-benchmark under profiles/redis.
. "${0%/*}/common.sh"
need redis-server redis-cli redis-benchmark python3
port=$(free_port)
mkdir -p "$DIR/data" "$DIR/logs" "$DIR/run" "$DIR/elsewhere"
serve() {
	"$USHER" run -p "$PROFILES/redis.policy" --audit "$DIR/audit.jsonl" --set "data=$DIR/data" --set "logs=$DIR/logs" \
		--set "run=$DIR/run" -- redis-server --port "$port" --unixsocket "$DIR/run/redis.sock" --dir "$DIR/data" \
		--enable-protected-configs yes --save '' >"$DIR/redis.out" 2>"$DIR/usher.err" &
	usher=$!
	until_true redis-cli -p "$port" ping || fail "redis does not answer: $(cat "$DIR/redis.out")"
}
serve
trap 'kill -KILL $usher 2>/dev/null' EXIT
redis-benchmark -p "$port" -q -n 20000 -c 20 -t set,get,incr,lpush >"$DIR/bench" 2>&1 || fail "redis-benchmark: $(cat "$DIR/bench")"
redis-benchmark -s "$DIR/run/redis.sock" -q -n 5000 -c 10 -t set,get >"$DIR/bench" 2>&1 || fail "redis-benchmark, unix: $(cat "$DIR/bench")"
# The client too, under the same policy.
"$USHER" run -p "$PROFILES/redis.policy" --quiet --set "run=$DIR/run" -- redis-cli -s "$DIR/run/redis.sock" set key value >"$DIR/cli" 2>"$DIR/cli.err"
equal "redis-cli under usher" OK "$(cat "$DIR/cli")"
redis-cli -p "$port" bgsave >/dev/null
until_true test -s "$DIR/data/dump.rdb" || fail "no snapshot"
redis-cli -p "$port" bgrewriteaof >/dev/null
# The classic attack: a snapshot somewhere else.
redis-cli -p "$port" config set dir "$DIR/elsewhere" >/dev/null
case $(redis-cli -p "$port" save) in OK) fail "saved outside" ;; esac
[ -z "$(ls "$DIR/elsewhere")" ] || fail "left something outside: $(ls "$DIR/elsewhere")"
redis-cli -p "$port" config set dir "$DIR/data" >/dev/null
redis-cli -p "$port" shutdown save 2>/dev/null
wait $usher
equal "exit status" 0 $?
serve
equal "after a restart" value "$(redis-cli -p "$port" get key)"
kill -TERM $usher
wait $usher
equal "exit status" 0 $?
trap - EXIT
exit 0
