# nginx under profiles/web: pages are served, everything else is not there, each refusal is recorded once.
. "${0%/*}/common.sh"
need nginx curl wrk python3
port=$(free_port)
mkdir -p "$DIR/site/.git" "$DIR/site/blog" "$DIR/site/in" "$DIR/outside"
echo page >"$DIR/site/index.html"
echo inner >"$DIR/site/in/page.html"
ln -s in/page.html "$DIR/site/inside"
ln -s "$DIR/site/in" "$DIR/site/insidedir"
echo secret | tee "$DIR/site/.git/config" "$DIR/site/.env" "$DIR/site/site.key" "$DIR/site/blog/.htpasswd" "$DIR/outside/file" >/dev/null
ln -s /etc/passwd "$DIR/site/leak"
ln -s "$DIR/outside" "$DIR/site/leakdir"
nginx_conf "location /outside/ { alias $DIR/outside/; } location /etc/ { alias /etc/; }"
"$USHER" run -p "$PROFILES/web.policy" --audit "$DIR/audit.jsonl" --summary --set "root=$DIR/site" --set "conf=$DIR/conf" \
	--set "logs=$DIR/logs" --set "run=$DIR/run" --set "temp=$DIR/temp" -- nginx -c "$DIR/conf/nginx.conf" -g 'daemon off;' \
	2>"$DIR/usher.err" &
usher=$!
trap 'kill -KILL $usher 2>/dev/null' EXIT
url=http://127.0.0.1:$port
until_true curl -sf "$url/" || fail "nginx does not answer"
get() { curl -s --path-as-is -o "$DIR/body" -w '%{http_code}' "$url$1"; }
for page in / /index.html /in/page.html /inside /insidedir/page.html; do
	equal "$page" 200 "$(get $page)"
done
for page in /.git/config /.env /site.key /blog/.htpasswd /leak /leakdir/file /outside/file /etc/passwd- /etc/debian_version; do
	case $(get $page) in 403 | 404) ;; *) fail "$page was answered with $(get $page)" ;; esac
done
equal "encoded dots" 400 "$(get /%2e%2e/%2e%2e/etc/passwd)"
case $(get /in/..%2f..%2foutside/file) in 400 | 403 | 404) ;; *) fail "encoded slash" ;; esac

# Every refusal is one line on stderr... (not a terminal: nothing) and one JSON record that says what and why.
cat >"$DIR/record.py" <<'PY'
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
mine = [r for r in records if r["action"] == "deny" and r["details"].get("path") == sys.argv[2]]
assert mine and mine[0]["details"]["op"] == "read" and mine[0]["rule"] and mine[0]["id"], records
assert list(mine[0])[:5] == ["timestamp", "process", "syscall", "action", "details"]
assert mine[0]["process"]["exe"].endswith("nginx")
PY
for path in .git/config .env site.key blog/.htpasswd outside/file; do	# the answer does not wait for its record
	until_true python3 "$DIR/record.py" "$DIR/audit.jsonl" "$DIR/$([ $path = outside/file ] || echo site/)$path" || fail "no record of $path"
done
id=$(python3 -c 'import json,sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r["details"].get("path", "").endswith("/.git/config"): print(r["id"]); break' "$DIR/audit.jsonl")
"$USHER" why --audit "$DIR/audit.jsonl" "$id" >"$DIR/why" 2>"$DIR/why.err"
grep -q 'DENY.*\.git/config' "$DIR/why" || fail "why $id said: $(cat "$DIR/why" "$DIR/why.err")"

# A signal to usher is one to nginx: HUP starts new workers.
workers() { pgrep -P "$(cat "$DIR/run/nginx.pid")" | sort | tr '\n' ' '; }
old=$(workers)
kill -HUP $usher
until_true sh -c "! pgrep -P $(cat "$DIR/run/nginx.pid") | grep -qw ${old%% *}" || fail "HUP did not start new workers"
equal "after the reload" 200 "$(get /index.html)"

# Load without one error.
wrk -t2 -c16 --timeout 60s -d"${WRK_SECONDS:-10}s" "$url/index.html" >"$DIR/wrk" || fail wrk
grep -Eq 'Non-2xx|Socket errors' "$DIR/wrk" && fail "wrk: $(cat "$DIR/wrk")"
grep -q 'Requests/sec' "$DIR/wrk" || fail "wrk: $(cat "$DIR/wrk")"

# nginx -s reload, from outside, with a changed configuration.
sed -i 's|location /etc/ |location = /new { return 204; } location /etc/ |' "$DIR/conf/nginx.conf"
nginx -c "$DIR/conf/nginx.conf" -s reload 2>/dev/null || fail "nginx -s reload"
until_true sh -c "[ \$(curl -s -o /dev/null -w '%{http_code}' $url/new) = 204 ]" || fail "the reload did nothing"

# The log rotates.
mv "$DIR/logs/access.log" "$DIR/logs/access.log.1"
nginx -c "$DIR/conf/nginx.conf" -s reopen 2>/dev/null || fail "nginx -s reopen"
until_true test -e "$DIR/logs/access.log" || fail "no new log"
until_true sh -c "curl -s $url/index.html >/dev/null && [ -s '$DIR/logs/access.log' ]" || fail "the new log is not written"

kill -TERM $usher
wait $usher
equal "exit status" 0 $?
pgrep -f "$DIR/conf/nginx.conf" >/dev/null && fail "nginx is still there"
trap - EXIT
exit 0
