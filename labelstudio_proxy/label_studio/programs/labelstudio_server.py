"""Runs Label Studio with gunicorn, as a local process and in a container.

It runs with the Python interpreter that Label Studio is installed for. That environment may lack
labelstudio_proxy and gunicorn, so this file imports nothing of the former, and gets the folder of the
latter.

    labelstudio_server.py probe
        print what is installed, as JSON
    labelstudio_server.py compile
        import Label Studio, so that its byte code is on disk
    labelstudio_server.py serve ADDRESS --gunicorn FOLDER [--background]
        migrate, make the first account and serve at ADDRESS, a path or HOST:PORT

It stops when the process LABELSTUDIO_PROXY_PARENT ends. Without that variable, it runs in a container
and stops when no gateway has contacted it for LABELSTUDIO_PROXY_ORPHAN_SECONDS.
"""

import argparse
import contextlib
import gc
import importlib.metadata
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Application = Callable[[dict[str, Any], Any], Any]

THREADS = 8
BACKGROUND_NICE = 10
GRACEFUL_SECONDS = 25  # the backends send SIGKILL after 30
ORPHAN_SECONDS = 30 * 60
ORPHAN_CHECKS = 30


def installed() -> dict[str, str]:
    """Return the version of Label Studio and its package folder."""
    found = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["label-studio"] = importlib.metadata.version("label-studio")
    if folder := package_folder():
        found["folder"] = folder
    return found


def package_folder() -> str:
    """Return the folder of the package `label_studio`, an empty string if there is none."""
    spec = importlib.util.find_spec("label_studio")
    return str(Path(spec.origin).parent) if spec is not None and spec.origin is not None else ""


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the process `parent` ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the call
            sys.exit(0)


def end_without_gateway(application: Application) -> Application:
    """Return the application, which now stops its server when no gateway contacts it.

    Called in the worker. The checks are counted, not the seconds: the container may be paused, or its
    machine suspended.
    """
    seconds = float(os.environ.get("LABELSTUDIO_PROXY_ORPHAN_SECONDS") or ORPHAN_SECONDS)
    checks = 0
    busy: set[int] = set()  # threads with a request of the gateway's

    def respond(environ: dict[str, Any], start_response: Any) -> Any:
        nonlocal checks
        # The gateway sends this header; other programs that reach the address do not.
        if "HTTP_X_LABELSTUDIO_PROXY" not in environ:
            return application(environ, start_response)
        thread = threading.get_ident()
        busy.add(thread)
        try:
            return application(environ, start_response)
        finally:
            busy.discard(thread)
            checks = 0

    def watch() -> None:
        nonlocal checks
        while checks < ORPHAN_CHECKS:
            time.sleep(seconds / ORPHAN_CHECKS)
            checks = 0 if busy else checks + 1
        say("Label Studio stops, because no gateway has contacted it.")
        os.kill(os.getppid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    return respond


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
    """Make the account named in LABEL_STUDIO_USERNAME with Label Studio's own `init`.

    An account that exists keeps its name.
    """
    from django.contrib.auth import get_user_model
    from django.db.models.signals import pre_save
    from label_studio.server import main

    shown = os.environ.get("LABELSTUDIO_PROXY_OWNER_NAME", "")

    def set_name(instance: Any, **_: object) -> None:
        if instance._state.adding:
            instance.first_name = shown

    pre_save.connect(set_name, sender=get_user_model())
    sys.argv = ["label-studio", "init", "--quiet"]
    main()
    pre_save.disconnect(set_name, sender=get_user_model())
    for name in ("LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD", "LABELSTUDIO_PROXY_OWNER_NAME"):
        os.environ.pop(name, None)


def lower_priority() -> None:
    """Lower the priority of the calling thread only (Linux: setpriority(2), "BUGS")."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICE)


def set_up() -> None:
    """Import Label Studio's settings and models; requires no database."""
    folder = package_folder()
    if not folder:
        sys.exit("ModuleNotFoundError: label_studio")
    # The second folder has our modules. Python's options -I and -P leave it out.
    sys.path[:0] = [folder, str(Path(__file__).parent)]
    os.environ["DJANGO_SETTINGS_MODULE"] = "labelstudio_settings"
    import django
    from labelstudio_imports import import_less

    import_less()
    django.setup()


def load() -> Application:
    """Return Label Studio as a WSGI application, with a migrated database and an account."""
    say("Loading Label Studio")
    # Garbage collection takes a third of the time while thousands of modules are imported.
    gc.disable()
    set_up()
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
    loaded: Application = application
    return loaded


def compile_all() -> None:
    """Import what a start, the first response and seldom uses import."""
    set_up()
    import core.wsgi
    from django.urls import get_resolver
    from labelstudio_imports import SELDOM_USED

    assert core.wsgi.application
    get_resolver()._populate()
    for name in SELDOM_USED:
        with contextlib.suppress(ImportError):  # other versions of Label Studio lack some
            assert sys.modules[name].__file__


def serve(address: str, *, background: bool, in_container: bool) -> None:
    """Load Label Studio and serve it with gunicorn until a signal comes."""
    from gunicorn.app.base import BaseApplication

    if background:
        # A lowered priority cannot be raised again. So a thread loads, and the worker, which this
        # thread forks, has the usual priority.
        with ThreadPoolExecutor(1, initializer=lower_priority) as executor:
            application = executor.submit(load).result()
    else:
        application = load()
    if address.startswith("/"):  # a program that cleans up may have removed the folder
        Path(address).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = {
        "bind": f"unix:{address}" if address.startswith("/") else address,
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

        def load(self) -> Application:
            """Called in the worker."""
            return end_without_gateway(application) if in_container else application

    say("Serving")
    Server().run()


def exit_now() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def use_gunicorn(folder: Path) -> None:
    """Let `import gunicorn` find it in `folder`, and nothing else of the folder's environment."""
    spec = importlib.util.spec_from_file_location("gunicorn", folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gunicorn"] = module
    spec.loader.exec_module(module)


def prefer_shipped_byte_code() -> None:
    """Read the byte code of the image if it has any; PYTHONPYCACHEPREFIX hides it."""
    if folder := package_folder():
        sys.pycache_prefix, prefix = None, sys.pycache_prefix
        file = importlib.util.cache_from_source(str(Path(folder, "__init__.py")))
        if not os.access(file, os.R_OK):
            sys.pycache_prefix = prefix


def say(line: str) -> None:
    print(f"labelstudio-proxy: {line}", flush=True)  # noqa: T201 - read by the backends


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("probe")
    commands.add_parser("compile")
    serving = commands.add_parser("serve")
    serving.add_argument("address")
    serving.add_argument("--gunicorn", type=Path, required=True)
    serving.add_argument("--background", action="store_true")
    options = parser.parse_args()
    if options.command == "probe":
        print(json.dumps(installed()))  # noqa: T201
        return
    prefer_shipped_byte_code()
    if options.command == "compile":
        compile_all()  # also for other users of the installation
        return
    os.umask(0o077)
    parent = os.environ.pop("LABELSTUDIO_PROXY_PARENT", "")
    if parent:
        end_with_parent(int(parent))
    else:
        # Variables that `docker inspect` must not show.
        private = Path(__file__).with_name("environment.json").read_text(encoding="utf-8")
        os.environ.update(json.loads(private))
    use_gunicorn(options.gunicorn)
    serve(options.address, background=options.background, in_container=not parent)


if __name__ == "__main__":
    main()
