"""nginx and redis: requests a second, of a server under a wrapper."""
import shutil
import socket
import time

from .process import Failed, Running, group_seconds, run


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_listening(server, port, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if server.ended(0.02):
                break
    raise Failed("nobody listens: " + server.text(server.err).strip()[-300:])


class Nginx:
    """1 KiB pages. Without CACHE every request opens its file. The servers stay, so that short samples of all of them can be taken in turn."""

    def __init__(self, site, seconds, cache):
        self.site, self.seconds, self.cache = site, seconds, cache
        self.missing = [name for name in ("nginx", "wrk") if not shutil.which(name)]
        self.servers = {}
        if site.root:
            for d in ("logs", "run", "temp"):
                shutil.chown(site.path(d), "www-data")

    def start(self, wrapper):
        # With the cache on as Debian runs it; without, of the supervisor's own user, as the floor's child is.
        user = f"user {'www-data' if self.cache else 'root'};" if self.site.root else ""
        w, port, name = self.site.work, free_port(), f"nginx-{'cache' if self.cache else 'plain'}-{len(self.servers)}"
        conf = self.site.write(f"conf/{name}.conf", f"""{user} worker_processes 1; daemon off; pid {w}/run/nginx.pid; error_log {w}/logs/error.log;
events {{}}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {w}/temp/b; proxy_temp_path {w}/temp/p; fastcgi_temp_path {w}/temp/f;
uwsgi_temp_path {w}/temp/u; scgi_temp_path {w}/temp/s;
open_file_cache {'max=1000 inactive=60s; open_file_cache_valid 60s' if self.cache else 'off'};
server {{ listen 127.0.0.1:{port}; root {w}/site; }} }}
""")
        server = Running(wrapper + ["nginx", "-c", conf], self.site.env)
        try:
            until_listening(server, port)
        except Failed:
            server.stop("nginx")
            raise
        return server, port

    def sample(self, wrapper):
        if self.missing:
            raise Failed(f"not installed: {' '.join(self.missing)}")
        key = tuple(wrapper)
        if key not in self.servers:
            self.servers[key] = self.start(wrapper)
        server, port = self.servers[key]
        begun = group_seconds(server.child.pid)
        out, _ = run(["wrk", "-t1", "-c8", f"-d{self.seconds}s", f"http://127.0.0.1:{port}/page.html"], self.site.env, self.seconds + 20)
        if "Non-2xx" in out or "Requests/sec:" not in out:
            raise Failed(f"wrk: {out[-300:]}")
        requests = float(out.split(" requests in")[0].split()[-1])
        return {"rate": float(out.split("Requests/sec:")[1].split()[0]), "cpu": (group_seconds(server.child.pid) - begun) / requests}

    def stop(self):
        for server, _ in self.servers.values():
            server.stop("nginx")
        self.servers.clear()


class Redis:
    """redis-benchmark on connections that are made once, SET and GET, the server wrapped, and BOTH: the client, too. Each in a session of its own."""

    def __init__(self, site, requests, both):
        self.site, self.requests, self.both = site, requests, both
        self.missing = [name for name in ("redis-server", "redis-benchmark") if not shutil.which(name)]

    def sample(self, wrapper):
        if self.missing:
            raise Failed(f"not installed: {' '.join(self.missing)}")
        port = free_port()
        server = Running(wrapper + ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.site.path("temp")], self.site.env)
        try:
            until_listening(server, port)
            out, cpu = run((wrapper if self.both else []) + ["redis-benchmark", "-p", str(port), "-n", str(self.requests), "-c", "50", "-t", "set,get", "--csv"], self.site.env, 120)
        finally:
            cpu_server = server.stop("redis-server")
        rates = [float(line.split(",")[1].strip('"')) for line in out.splitlines() if line.startswith(('"SET"', '"GET"'))]
        if len(rates) != 2:
            raise Failed(f"redis-benchmark: {out[-300:]}")
        return {"rate": 2 / (1 / rates[0] + 1 / rates[1]), "cpu": (cpu + cpu_server) / (2 * self.requests)}
