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
# A TCP port that is free now; and not one that the kernel might give to somebody else meanwhile.
free_port() {
	python3 -c 'import random, socket
low = min(32768, int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0]))
while True:
	try:
		s = socket.socket()
		s.bind(("127.0.0.1", random.randrange(low // 3, low) if low > 3072 else 0))
		break
	except OSError:
		pass
print(s.getsockname()[1])'
}
# nginx on $port for $DIR/site, with all that it writes in $DIR. The rest of what its server does is an argument.
nginx_conf() {
	mkdir -p "$DIR/conf" "$DIR/site" "$DIR/logs" "$DIR/run" "$DIR/temp"
	www=
	[ "$(id -u)" -ne 0 ] || { www='user www-data;'; chown -R www-data "$DIR/logs" "$DIR/run" "$DIR/temp"; chmod 755 "$DIR"; }
	cat >"$DIR/conf/nginx.conf" <<CONF
$www worker_processes 2; pid $DIR/run/nginx.pid; error_log $DIR/logs/error.log;
events {}
http {
	access_log $DIR/logs/access.log;
	client_body_temp_path $DIR/temp/body; proxy_temp_path $DIR/temp/proxy; fastcgi_temp_path $DIR/temp/fastcgi;
	uwsgi_temp_path $DIR/temp/uwsgi; scgi_temp_path $DIR/temp/scgi;
	server { listen 127.0.0.1:$port; root $DIR/site; $1 }
}
CONF
}
# Eight pages and as many style sheets.
nginx_pages() {
	mkdir -p "$DIR/site/css"
	for i in 1 2 3 4 5 6 7 8; do echo "page $i" >"$DIR/site/p$i.html"; echo "c $i" >"$DIR/site/css/s$i.css"; done
}
# Waits for a condition, at most a minute.
until_true() {
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ $i -lt 1200 ] || return 1
		sleep 0.05
	done
}
equal() { # what, expected, actual
	[ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
