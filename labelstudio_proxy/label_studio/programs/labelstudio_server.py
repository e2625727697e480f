"""Runs Label Studio on a unix socket, inside Label Studio's own environment.

A program, not a module of the package: the process backend hands it to the Python interpreter that
Label Studio is installed for, which may lack labelstudio_proxy. So it imports nothing of ours.

    labelstudio_server.py probe             what is installed here, as JSON on standard output
    labelstudio_server.py serve SOCKET      migrate, make the account, serve on SOCKET
    labelstudio_server.py exec PROGRAM …    become PROGRAM, ended when the caller ends
"""

import contextlib
import gc
import importlib.metadata
import importlib.util
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 8
BACKGROUND_NICE = 10
GRACEFUL_SECONDS = 25  # the backend sends SIGKILL after 30


def probe() -> None:
    versions = {}
    for name in ("label-studio", "gunicorn"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    spec = importlib.util.find_spec("label_studio")
    if spec is not None and spec.origin is not None:
        versions["folder"] = str(Path(spec.origin).parent)
    print(json.dumps({"python": sys.version.split()[0], **versions}))  # noqa: T201 - its result


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the process that started this one ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the kernel was asked
            sys.exit(0)


def migrate() -> None:
    """Bring the database up to date, with a line for each migration, so that progress shows."""
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    connection = connections["default"]
    connection.prepare_database()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    say(f"{len(plan)} migrations to apply")
    if plan:
        call_command("migrate", "--no-color", verbosity=1)


def make_owner() -> None:
    """Make the account named in LABEL_STUDIO_USERNAME by Label Studio's own `init`."""
    from label_studio.server import main

    sys.argv = ["label-studio", "init", "--quiet"]
    main()
    # Not needed again, and no worker needs to hold it.
    for name in ("LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD"):
        os.environ.pop(name, None)


def let_others_go_first() -> None:
    """Give the calling thread, and no other, a low priority (Linux: see setpriority(2), "BUGS")."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICE)


def load() -> object:
    """Label Studio as a WSGI application, its database migrated, its first account made."""
    say("Loading Label Studio")
    # To look for garbage again and again among ever more modules takes a third of the time.
    gc.disable()
    spec = importlib.util.find_spec("label_studio")
    if spec is None or spec.origin is None:
        sys.exit("ModuleNotFoundError: label_studio")
    sys.path.insert(0, str(Path(spec.origin).parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "labelstudio_settings"  # beside this file
    import django

    django.setup()
    from django.db import connections

    migrate()
    if os.environ.get("LABEL_STUDIO_USERNAME"):
        say("Making the account")
        make_owner()
    # The worker is a fork of this process; a database connection must not be shared with it.
    connections.close_all()
    from core.wsgi import application

    gc.freeze()
    gc.enable()
    return application


def serve(socket: str, *, background: bool) -> None:
    from gunicorn.app.base import BaseApplication

    if background:
        # Priorities cannot be raised again, but those of threads are their own: what serves, and
        # this thread's forks do, has the usual one.
        with ThreadPoolExecutor(1, initializer=let_others_go_first) as executor:
            application = executor.submit(load).result()
    else:
        application = load()
    settings = {
        "bind": f"unix:{socket}",
        "umask": 0o077,
        # One process, as Label Studio expects with SQLite; as many threads as its own server
        # would use for one person's tabs.
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        # Not to be ended for being busy: what does not run at all, the process backend notices.
        "timeout": 0,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 75,  # seconds; the gateway keeps its connections for less
        # Requests arrive over a private socket from the gateway, which has checked them.
        "limit_request_line": 0,
        "control_socket_disable": True,
        "loglevel": "warning",
        # Label Studio's many modules take seconds to be taken down one by one; its data are in
        # the database by then.
        "worker_exit": lambda _, worker: leave() if worker.booted else None,
        "on_exit": lambda _: leave(),
    }

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in settings.items():
                if name in self.cfg.settings:  # older versions have no control socket
                    self.cfg.set(name, value)

        def load(self) -> object:
            return application

    say("Serving")
    Server().run()


def become(program: list[str]) -> None:
    try:
        os.execv(program[0], program)  # noqa: S606 - that is its purpose
    except OSError as error:
        sys.exit(f"{program[0]} could not be started: {error.strerror}")


def leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def say(line: str) -> None:
    print(f"labelstudio-proxy: {line}", flush=True)  # noqa: T201 - read by the process backend


if __name__ == "__main__":
    command = sys.argv[1]
    if command == "probe":
        probe()
    else:
        end_with_parent(int(os.environ.pop("LABELSTUDIO_PROXY_PARENT")))
        in_background = bool(os.environ.pop("LABELSTUDIO_PROXY_BACKGROUND"))
        if command == "serve":
            serve(sys.argv[2], background=in_background)
        else:
            become(sys.argv[2:])
