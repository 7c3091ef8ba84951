"""What was measured on, as far as it says how fast: no name of it."""
import os
import re
import subprocess


def cpu_field(name):
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith(name)), "")


def package(name):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()


def load():
    return round(os.getloadavg()[0], 1)


def describe():
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) >> 20
    flags = cpu_field("flags").split()
    return {
        "kernel": "Linux " + re.match(r"[\d.]*\d", os.uname().release).group(),
        "architecture": os.uname().machine,
        "cpu": cpu_field("model name") or "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": memory,
        "virtual": "a virtual machine" if "hypervisor" in flags else "not a virtual machine" if flags else "not known whether virtual",
        "as": "root" if os.getuid() == 0 else "an ordinary user",
    }
