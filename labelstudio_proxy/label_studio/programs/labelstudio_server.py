"""Runs Label Studio on a unix socket, inside Label Studio's own environment.

The process backend runs it as a program, with the Python interpreter that Label Studio is installed
for. That environment may lack labelstudio_proxy, so this file imports nothing of it.

    labelstudio_server.py probe
        print what is installed, as JSON
    labelstudio_server.py serve SOCKET [--background]
        migrate, make the first account and serve; stop when the process LABELSTUDIO_PROXY_PARENT ends
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
GRACEFUL_SECONDS = 25  # the process backend sends SIGKILL after 30


def installed() -> dict[str, str]:
    """Return the versions of Label Studio and gunicorn, and Label Studio's package folder."""
    found = {}
    for name in ("label-studio", "gunicorn"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    spec = importlib.util.find_spec("label_studio")
    if spec is not None and spec.origin is not None:
        found["folder"] = str(Path(spec.origin).parent)
    return found


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the process `parent` ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the call
            sys.exit(0)


def migrate() -> None:
    """Migrate the database; print how many migrations there are, and each of them."""
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
    """Make the account named in LABEL_STUDIO_USERNAME with Label Studio's own `init`."""
    from label_studio.server import main

    sys.argv = ["label-studio", "init", "--quiet"]
    main()
    for name in ("LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD"):
        os.environ.pop(name, None)


def lower_priority() -> None:
    """Lower the priority of the calling thread only (Linux: setpriority(2), "BUGS")."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICE)


def load() -> object:
    """Return Label Studio as a WSGI application, with a migrated database and an account."""
    say("Loading Label Studio")
    # Garbage collection takes a third of the time while thousands of modules are imported.
    gc.disable()
    spec = importlib.util.find_spec("label_studio")
    if spec is None or spec.origin is None:
        sys.exit("ModuleNotFoundError: label_studio")
    # The second folder has the settings module. Python's options -I and -P leave it out.
    sys.path[:0] = [str(Path(spec.origin).parent), str(Path(__file__).parent)]
    os.environ["DJANGO_SETTINGS_MODULE"] = "labelstudio_settings"
    import django

    django.setup()
    from django.db import connections

    migrate()
    if os.environ.get("LABEL_STUDIO_USERNAME"):
        say("Making the account")
        make_owner()
    # gunicorn forks the worker, and a database connection must not be shared with it.
    connections.close_all()
    from core.wsgi import application

    gc.freeze()
    gc.enable()
    return application


def serve(socket: str, *, background: bool) -> None:
    """Load Label Studio and serve it with gunicorn until a signal comes."""
    from gunicorn.app.base import BaseApplication

    if background:
        # A lowered priority cannot be raised again. So a thread loads, and the worker, which this
        # thread forks, has the usual priority.
        with ThreadPoolExecutor(1, initializer=lower_priority) as executor:
            application = executor.submit(load).result()
    else:
        application = load()
    settings = {
        "bind": f"unix:{socket}",
        "umask": 0o077,
        # Label Studio with SQLite expects one process. Eight threads serve the tabs of one person.
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        "timeout": 0,  # never restart a busy worker
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 75,  # seconds; the gateway keeps its connections for less
        "limit_request_line": 0,  # the gateway has checked it
        "control_socket_disable": True,
        "loglevel": "warning",
        # A usual exit takes seconds to unload Label Studio's modules. All data are in the database.
        "worker_exit": lambda _, worker: exit_now() if worker.booted else None,
        "on_exit": lambda _: exit_now(),
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


def exit_now() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def say(line: str) -> None:
    print(f"labelstudio-proxy: {line}", flush=True)  # noqa: T201 - read by the process backend


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "probe":
        print(json.dumps(installed()))  # noqa: T201
    else:
        end_with_parent(int(os.environ.pop("LABELSTUDIO_PROXY_PARENT")))
        serve(arguments[0], background="--background" in arguments)
