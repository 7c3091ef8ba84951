# The rehearsal of the README: nginx under load from learning to KILL, started once: not one failed request that the policy did not mean.
. "${0%/*}/common.sh"
need nginx curl wrk python3
ln -s "$PROFILES/base" "$DIR/base"
port=$(free_port)
outside=$DIR.outside
mkdir "$outside" && echo secret >"$outside/file"
export XDG_RUNTIME_DIR="$DIR/runtime" XDG_STATE_HOME="$DIR/state"
mkdir "$DIR/runtime"
chmod 700 "$DIR/runtime"
nginx_pages
nginx_conf "location /outside/ { alias $outside/; }"
url=http://127.0.0.1:$port
name=rollout-${DIR##*-}
usher=
load=
trap 'rm -rf "$outside"; [ -z "$usher$load" ] || kill -KILL $usher $load 2>/dev/null' EXIT
get() { curl -s -o "$DIR/body" -w '%{http_code}' "$url$1"; }

cat >"$DIR/site.policy" <<POLICY
syntax 1;
policy site "nginx, from nothing to KILL";
files {
	default deny EACCES stage log;
	deny read $outside/ id outside stage log;	# on trial
}
rollout { gate would-deny 0 over 1h calls 100 starts 1; steps log, deny, trap, kill; }
POLICY

"$USHER" run -p "$DIR/site.policy" --name "$name" --record "$DIR/site.fp" --audit "$DIR/audit.jsonl" -- nginx -c "$DIR/conf/nginx.conf" -g 'daemon off;' 2>"$DIR/run.err" &
usher=$!
until_true curl -sf "$url/p1.html" || fail "nginx does not answer"
master=$(cat "$DIR/run/nginx.pid")
wrk -t1 -c8 -d120s --timeout 60s --latency "$url/p2.html" >"$DIR/wrk" 2>&1 &
load=$!
verb() { "$USHER" "$@" >"$DIR/verb.out" 2>"$DIR/verb.err" || fail "usher $*: $(cat "$DIR/verb.out" "$DIR/verb.err")"; }
all_pages() {
	for page in /p1.html /p6.html /p8.html /css/s1.css /css/s8.css; do equal "$1: $page" 200 "$(get $page)"; done
}

# What it does, learnt from its life.
for page in /p1.html /p3.html /p4.html /p5.html /css/s1.css /css/s2.css /css/s3.css /css/s4.css /css/s5.css; do get $page >/dev/null; done
# It is written once a second: perhaps when only the first of them had been asked for, which are rules of their own then.
learns() { "$USHER" learn --update "$DIR/site.policy" --from "$DIR/site.fp" >"$DIR/verb.out" 2>"$DIR/verb.err" && grep -q " $DIR/site/;" "$DIR/site.policy"; }
until_true learns || fail "usher learn: $(cat "$DIR/verb.out" "$DIR/verb.err" "$DIR/site.policy")"
verb reload "$name"
"$USHER" rollout status "$name" >"$DIR/verb.out" 2>&1	# 1: a gate is not passed yet
grep -q "would-deny" "$DIR/verb.out" || fail "rollout status says: $(cat "$DIR/verb.out")"
# log
equal "at log" 200 "$(get /outside/file)"
"$USHER" promote "$name" --rule outside >"$DIR/verb.out" 2>"$DIR/verb.err" && fail "the gate was passed although something would have been denied: $(cat "$DIR/verb.out" "$DIR/site.policy"; "$USHER" rollout status "$name"; grep -a outside/file "$DIR/audit.jsonl" | head -3; "$USHER" why -p "$DIR/site.policy" read "$outside/file"; "$USHER" check "$DIR/site.policy"; ls -la "$outside" "$DIR"; cat "$DIR/verb.err")"
grep -q 'it would have denied' "$DIR/verb.err" || fail "promote said: $(cat "$DIR/verb.err")"
verb promote "$name" --all --force --reason 'that was meant'
# deny
all_pages deny
equal "at deny" 403 "$(get /outside/file)"
grep -q 'id outside stage deny;	# on trial' "$DIR/site.policy" || fail "the file says: $(cat "$DIR/site.policy")"
verb demote "$name" --all
equal "at log again" 200 "$(get /outside/file)"
verb promote "$name" --all --force --reason 'so was that'
verb panic "$name" --reason rehearsal
equal "in a panic" 200 "$(get /outside/file)"
verb reload "$name"
equal "after it" 403 "$(get /outside/file)"
# trap, kill
verb promote "$name" --rule outside --force --reason rehearsal
verb promote "$name" --rule outside --force --reason rehearsal
all_pages kill
kill -INT $load
wait $load
load=
grep -Eq 'Non-2xx|Socket errors' "$DIR/wrk" && fail "wrk: $(cat "$DIR/wrk")"
grep -q 'Requests/sec' "$DIR/wrk" || fail "wrk: $(cat "$DIR/wrk")"
equal "the master is the same" "$master" "$(cat "$DIR/run/nginx.pid")"
# What is killed is the worker that asked, and nginx has another at once.
equal "at kill" 000 "$(get /outside/file)"
until_true curl -sf "$url/p1.html" || fail "nginx has no worker any more"
kill -TERM $usher
wait $usher
usher=
exit 0
