# nginx in a view: pages are served, everything else is not there, and what is only read reaches no supervisor.
. "${0%/*}/common.sh"
need nginx curl wrk
port=$(free_port)
mkdir -p "$DIR/site/in" "$DIR/outside"
echo page >"$DIR/site/index.html"
echo inner >"$DIR/site/in/page.html"
echo secret >"$DIR/outside/file"
ln -s in/page.html "$DIR/site/inside"
ln -s /var/lib/dpkg/status "$DIR/site/leak"
ln -s "$DIR/outside" "$DIR/site/leakdir"
nginx_conf "location /outside/ { alias $DIR/outside/; } location /proc/ { alias /proc/; }"
cat >"$DIR/view.policy" <<POLICY
syntax 1;
policy view "a static site";
files {
	default deny ENOENT view;
	cover all;
	allow ro /usr/, /etc/, $DIR/site/, $DIR/conf/, $DIR/logs/, $DIR/run/, $DIR/temp/;
	allow exec /usr/;
	allow ro,write /dev/null;
	allow rw,attr $DIR/logs/*, $DIR/run/*, $DIR/temp/*/;
}
network {
	default deny;
	allow bind tcp 127.0.0.1:$port;
}
POLICY
layer=view
[ "$(id -u)" -eq 0 ] || layer=broker
"$USHER" check --plan --json "$DIR/view.policy" >"$DIR/plan" || fail "check: $(cat "$DIR/plan")"
equal "what decides about reading" $layer "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["plan"]["reads"]["layer"])' "$DIR/plan")"

"$USHER" run -p "$DIR/view.policy" --summary -- nginx -c "$DIR/conf/nginx.conf" -g 'daemon off;' 2>"$DIR/usher.err" &
usher=$!
trap 'kill -KILL $usher 2>/dev/null' EXIT
url=http://127.0.0.1:$port
until_true curl -sf "$url/" || fail "nginx does not answer"
get() { curl -s --path-as-is -o "$DIR/body" -w '%{http_code}' "$url$1"; }
for page in / /index.html /in/page.html /inside; do
	equal "$page" 200 "$(get $page)"
done
for page in /none /leak /leakdir/file /outside/file /proc/self/status /proc/1/root/etc/passwd; do
	equal "$page" 404 "$(get $page)"
done
# A page that is replaced by a rename, and a new one, are there at once.
echo new >"$DIR/site/.next"
mv "$DIR/site/.next" "$DIR/site/index.html"
equal "a new page" "200 new" "$(get /) $(cat "$DIR/body")"

wrk -t1 -c8 -d"${WRK_SECONDS:-3}s" "$url/index.html" >"$DIR/wrk" || fail wrk
grep -Eq 'Non-2xx|Socket errors' "$DIR/wrk" && fail "wrk: $(cat "$DIR/wrk")"

# New workers, and a new log, which the broker makes.
old=$(pgrep -P "$(cat "$DIR/run/nginx.pid")" | head -1)
kill -HUP $usher
until_true sh -c "! pgrep -P $(cat "$DIR/run/nginx.pid") | grep -qw $old" || fail "HUP did not start new workers"
mv "$DIR/logs/access.log" "$DIR/logs/access.log.1"
nginx -c "$DIR/conf/nginx.conf" -s reopen 2>/dev/null || fail "nginx -s reopen"
until_true test -e "$DIR/logs/access.log" || fail "no new log"
until_true sh -c "curl -s $url/index.html >/dev/null && [ -s '$DIR/logs/access.log' ]" || fail "the new log is not written"

kill -TERM $usher
wait $usher
equal "exit status" 0 $?
trap - EXIT
calls=$(sed -n 's/.* \([0-9][0-9]*\) brokered call.*/\1/p' "$DIR/usher.err")
requests=$(wc -l <"$DIR/logs/access.log.1")
[ $layer = broker ] || [ "$calls" -lt $((requests / 4)) ] || fail "$calls brokered calls for $requests requests"
exit 0
