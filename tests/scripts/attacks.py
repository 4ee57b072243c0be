"""What code in a cluster tries against the gateway, its proxy, supervisors and other users' tasks; each attempt with what it got.

Arguments after the address: the data directory, a file with the processes to attack, and `uids` or `confined`.
"""

import json
import sys

from story import done, eventually, gateway, say, wait_for_go

DATA, TARGETS, MODE = sys.argv[2:5]


def attack(data, targets, theirs, mode):
    import ctypes
    import glob
    import http.client
    import os
    import resource
    import signal
    import socket
    import struct
    import subprocess

    libc = ctypes.CDLL(None, use_errno=True)
    me, mine = os.getpid(), os.environ["FAREGATE_TASK_ID"]
    work = os.environ["DASK_TEMPORARY_DIRECTORY"]
    results = []

    def attempt(name, what, *arguments):
        try:
            got = f"SUCCEEDED: {what(*arguments)!r:.60}"
        except PermissionError as error:
            got = f"refused: {error.strerror}"
        except OSError as error:
            got = f"failed: {error.strerror or error}"
        except Exception as error:
            got = f"failed: {error!r:.60}"
        results.append((name, got))

    def call(number, *arguments):
        value = libc.syscall(number, *arguments)
        if value == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return value

    def read(path):
        with open(path, "rb") as file:
            return file.read(64)

    def write(path, text="x"):
        with open(path, "w") as file:
            file.write(text)

    # files
    private = ["keys.json", "store.sqlite", "gateway.secret", "proxy-spec.json", "proxy.json", "gateway.lock", "routes"]
    for name in private + (["task-uids.json"] if mode == "uids" else []):
        path = f"{data}/{name}"
        attempt(f"read {name}", os.listdir if name == "routes" and mode == "uids" else read, path)
        attempt(f"write {name}", write, path)
        attempt(f"truncate {name}", os.truncate, path, 0)
        attempt(f"remove {name}", os.unlink, path)
        attempt(f"link {name}", os.link, path, f"{work}/{name}")
        attempt(f"move {name}", os.rename, path, f"{work}/moved-{name}")
    attempt("make a file beside them", write, f"{data}/new")
    attempt("move the data directory", os.rename, data, f"{work}/data")
    attempt("read the keys by a symbolic link", lambda: (os.symlink(f"{data}/keys.json", f"{work}/s"), read(f"{work}/s")))
    attempt("read the keys through /proc/self/root", read, f"/proc/self/root{data}/keys.json")
    if mode == "uids":
        for directory in ["", "/clusters", "/homes"]:
            attempt(f"list the data directory{directory}", os.listdir, data + directory)
    for name in ["token", "tls.key", "tls.crt"]:
        attempt(f"read another cluster's {name}", read, f"{data}/clusters/{theirs}/{name}")
        attempt(f"write another cluster's {name}", write, f"{data}/clusters/{theirs}/{name}")
    attempt("write to another cluster's work", write, f"{data}/clusters/{theirs}/work/x")
    attempt("read another cluster's logs", lambda: read(glob.glob(f"{data}/clusters/{theirs}/tasks/*/log")[0]))
    for home in [int(p) for p in targets["homes"]]:
        if home != os.getuid():
            attempt("list another user's home", os.listdir, f"{data}/homes/{home}")

    # sockets
    def ask():
        connection = http.client.HTTPConnection("gateway")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"{data}/gateway.sock")
        connection.request("GET", "/api/v1/clusters/", headers={"Authorization": "Basic Ym9iOg=="})
        status = connection.getresponse().status
        if status == 403:
            raise PermissionError(13, "answered 403")
        return status

    attempt("ask the gateway behind its proxy", ask)

    # processes
    PTRACE_SEIZE, PROCESS_VM_READV, IOPRIO_SET, KCMP, PIDFD_GETFD, PRLIMIT64 = 0x4206, 310, 251, 312, 438, 302
    for target in targets["processes"]:
        pid, what = target["pid"], target["what"]
        same_user = mode == "uids" and target["cluster"] == os.environ["DASK_GATEWAY_CLUSTER_NAME"]
        if target["task"] == mine or same_user:
            continue
        for file in ["environ", "mem", "maps", "auxv"]:
            attempt(f"{what}: read {file}", read, f"/proc/{pid}/{file}")
        attempt(f"{what}: open a descriptor of its", read, f"/proc/{pid}/fd/1")
        attempt(f"{what}: see what a descriptor is", os.readlink, f"/proc/{pid}/fd/1")
        attempt(f"{what}: enter its root", os.listdir, f"/proc/{pid}/root/")
        attempt(f"{what}: enter its directory", os.listdir, f"/proc/{pid}/cwd/")
        attempt(f"{what}: have it killed first", write, f"/proc/{pid}/oom_score_adj", "1000")
        attempt(f"{what}: SIGKILL", os.kill, pid, signal.SIGKILL)
        attempt(f"{what}: SIGKILL by pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL))
        attempt(f"{what}: descriptors by pidfd", lambda: call(PIDFD_GETFD, os.pidfd_open(pid), 0, 0))
        attempt(f"{what}: ptrace", lambda: libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 or call(101, PTRACE_SEIZE, pid, 0, 0))
        attempt(f"{what}: process_vm_readv", lambda: call(PROCESS_VM_READV, pid, 0, 0, 0, 0, 0) if mode == "confined" else read(f"/proc/{pid}/mem"))
        attempt(f"{what}: kcmp", lambda: call(KCMP, me, pid, 0, 0, 0))
        attempt(f"{what}: prlimit", resource.prlimit, pid, resource.RLIMIT_NOFILE, (0, 0))
        limits = ctypes.create_string_buffer(struct.pack("QQ", 0, 0))
        attempt(f"{what}: prlimit by the x32 call", lambda: call(0x40000000 + PRLIMIT64, pid, 7, limits, 0))
        attempt(f"{what}: priority", os.setpriority, os.PRIO_PROCESS, pid, 19)
        attempt(f"{what}: affinity", os.sched_setaffinity, pid, {0})
        attempt(f"{what}: scheduler", lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
        attempt(f"{what}: I/O priority", lambda: call(IOPRIO_SET, 1, pid, 3 << 13))
    if mode == "confined":
        attempt("priority of the user", os.setpriority, os.PRIO_USER, os.getuid(), 19)
        attempt("priority of the group", os.setpriority, os.PRIO_PGRP, 0, 19)
        attempt("a file by which shells start", write, os.path.expanduser("~/.profile"))
        attempt("a lower oom_score_adj of its own", write, "/proc/self/oom_score_adj", "0")
        attempt("write below the control groups", write, "/sys/fs/cgroup/cgroup.procs", str(me))

    # namespaces: root in one of its own
    script = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x10000000 | 0x20000) == 0, "no namespace"
print(libc.mount(b"/", b"{work}", None, 4096 | 16384, None) == 0 and open("{work}{data}/keys.json").read(1) or open("{data}/keys.json").read(1))
"""
    import sys

    in_namespace = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    results.append(("read the keys as root of a namespace", "SUCCEEDED" if in_namespace.returncode == 0 else "failed"))
    scores = [int(open(f"/proc/{pid}/oom_score_adj").read()) for pid in ("self", targets["gateway"], targets["proxy"])]
    return {"results": results, "uid": os.getuid(), "scores": scores}


def own_life(home):
    """What a confined task does all the same."""
    import os
    import subprocess
    import sys
    import tempfile

    assert open(f"{home}/data/table").read() == "rows"
    with open(f"{home}/data/result", "w") as file:
        file.write("done")
    assert "data" in os.listdir(home)
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    child.kill()
    # sockets in the file system, between processes of its own
    program = "import multiprocessing\nif __name__ == '__main__':\n    print(multiprocessing.Manager().list([1])[0])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"1\n"
    return child.wait()


def safely(ask):
    try:
        return ask()
    except Exception:
        return {}


alice, bob = gateway("alice"), gateway("bob")
cluster, other = alice.new_cluster(), bob.new_cluster()
clients = [c.get_client(set_as_default=False) for c in (cluster, other)]
for c, client in zip((cluster, other), clients):
    c.scale(1)
    client.wait_for_workers(1, timeout=100)
client = clients[0]
say("up", cluster.name, other.name)
wait_for_go()
with open(TARGETS) as file:
    targets = json.load(file)
runs = {"worker": client.run(attack, DATA, targets, other.name, MODE)}
runs["scheduler"] = {"scheduler": client.run_on_scheduler(attack, DATA, targets, other.name, MODE)}
for where, answers in runs.items():
    (answer,) = answers.values()
    for name, got in answer["results"]:
        say("attempt", where, "|", name, "|", got)
    own, of_gateway, of_proxy = answer["scores"]
    say("scores", where, own, of_gateway, of_proxy)
    say("uid", where, answer["uid"])

if MODE == "confined":
    import os

    import dask.array as da

    home = targets["home"]
    assert list(client.run(own_life, home).values()) == [-9]
    # more than the worker's memory: it spills, and all of it comes back
    x = client.persist(da.random.default_rng(1).random((12_000, 6_000), chunks=(500, 6_000)))
    assert abs(float(client.compute(x.mean()).result(timeout=100)) - 0.5) < 0.01
    del x
    client.restart(timeout=100)
    client.wait_for_workers(1, timeout=100)
    (pid,) = client.run(os.getpid).values()

    def die():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    client.submit(die, retries=0, pure=False)
    eventually("the nanny starts another", lambda: [p for p in safely(lambda: client.run(os.getpid)).values() if p != pid])

    def all_of_them():
        import os
        import signal

        os.kill(-1, signal.SIGKILL)

    client.submit(all_of_them, retries=0, pure=False)
    say("killed all that it could")
    wait_for_go()
assert clients[1].submit(lambda: 1 + 1).result(timeout=100) == 2, "the other cluster is untouched"
other.shutdown()
cluster.shutdown()
done()
