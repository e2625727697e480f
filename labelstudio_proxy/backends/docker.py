"""Label Studio as a container, on any engine that speaks Docker's API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from ..access import lets_in
from ..datadir import DataDirectory
from ..listener import engine_listener
from ..problem import Problem
from ..upstream import Endpoint, answers, healthy, open_session
from .base import PULL, Backend, Held, NotAgain, Owner, Report
from .build import Build
from .docker_container import (
    DATA,
    GATEWAY_HEADER,
    MARK_OF_COMMAND,
    ORPHAN_SECONDS,
    ORPHAN_VARIABLE,
    ORPHAN_WORDS,
    OURS,
    PORT,
    SETTINGS_LABEL,
    START_LABEL,
    Plan,
    check_paths,
    gateway_sign,
)
from .docker_engine import (
    QUICK_SECONDS,
    Engine,
    EngineFault,
    NotThere,
    connect_engine,
)
from .docker_faults import do, refused
from .docker_files import file_in, is_in
from .docker_image import get_image, label_studio_version
from .docker_leftover import end_container, forget, note
from .docker_logs import Follower
from .docker_planning import DockerSettings, Planner, Site, look_at
from .docker_removal import remove
from .explain import Explained
from .standstill import LOOK_SECONDS, STANDING_STILL, Standstill, explain_standstill

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
REMOVAL_SECONDS = 0.5
SHOWINGS = 30  # within the time after which a container takes its gateway for gone
PAUSED_POLLS = 3  # `docker commit` pauses a container, too, for a moment
LOG_TAIL = 200  # lines of an adopted container
# Of the processors, against a container's or a program's usual ones.
USUAL_SHARES = 1024
BACKGROUND_SHARES = 102
# The exit status after SIGKILL, and after SIGTERM.
KILLED = 137
TERMINATED = 143
# Where nobody listens: of a container that has ended again before its address was known.
NOWHERE = Endpoint(unix_socket=Path(os.devnull))


class DockerBackend(Backend):
    """Runs Label Studio's image with the least rights that it needs."""

    name = "docker"
    steps = (
        ("engine", "Find the container engine"),
        (PULL, "Get the image"),
        ("container", "Start the container"),
        ("answer", "Wait for the first answer"),
    )

    def __init__(
        self,
        report: Report,
        log: Callable[[str], None],
        *,
        settings: DockerSettings,
        directory: DataDirectory,
        files_root: Path | None,
        environment: Mapping[str, str],
        private: Mapping[str, str],
        user_name: str,
        user: str,
        without_process: str = "",
    ) -> None:
        """`without_process`: how to get Label Studio as a process, for when there is no engine.

        For all others see `Planner`.
        """
        super().__init__(report, log)
        self._settings = settings
        self._directory = directory
        self._files_root = files_root
        self._private = private
        self._planner = Planner(
            settings,
            directory,
            files_root,
            environment=environment,
            private=private,
            user_name=user_name,
            user=user,
        )
        self._without_process = without_process
        self._engine: Engine | None = None
        self._site = Site()
        self._image = ""
        self._name = ""
        self._container: Container | None = None
        self._volume = ""
        self._sign = ""
        self._endpoint = NOWHERE
        self._start = uuid.uuid4().hex  # by which a container of this start is known
        self._candidate = ""  # the id of one that was there before
        self._made = False  # or about to be
        self._leave = False  # as it is: paused by somebody
        self._yields = False  # to the machine's other programs
        self._standstill: Standstill | None = None
        self._next_look = 0.0  # monotonic time, seconds
        self._follower: Follower | None = None

    async def prepare(self) -> None:
        self.report("engine")
        self._engine = await self._connect()
        self.versions[self._engine.name] = self._engine.version
        self.report("engine", detail=f"{self._engine.name} {self._engine.version}")
        self._site = await look_at(self._engine)
        folders = [("data_dir", self._directory.path)]
        if self._files_root is not None:
            folders.append(("files_root", self._files_root))
            if not await asyncio.to_thread(self._files_root.is_dir):
                raise Problem(
                    f"The folder {self._files_root} does not exist.",
                    "It is what Label Studio is to read as local files.",
                    "Make it, or set `files_root` to another folder and restart Jupyter.",
                )
        unquoted = self._engine.name == "Podman"
        await asyncio.to_thread(check_paths, folders, unquoted=unquoted)
        image = await pull(self._engine, self._settings, self.report)
        self._image = str(image.id)
        self.build = Build(image=self._image)
        if version := label_studio_version(image, self._settings.image):
            self.versions["Label Studio"] = version
        self.notice = await end_container(self._directory, but_of=self._engine.address.url)

    async def end_leftover(self) -> None:
        engine, plan = self._connected(), await self._plan()
        found = await self._find(plan)
        if found is not None:
            await remove(engine, found)

    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        engine = self._connected()
        self.report("container")
        plan = await self._plan()
        self._name = plan.name
        key = await asyncio.to_thread(self._secret_key)
        self._sign = gateway_sign(key)
        found = await self._find(plan)
        self._candidate = str(found.id) if found is not None else ""
        self._made = True
        url, labels = engine.address.url, plan.owner_labels()
        await asyncio.to_thread(note, self._directory, url, plan.name, labels)
        if found is not None and await self._adopt(engine, found, plan, key):
            self.report("container", detail=f"{plan.name} was running")
        else:
            if found is not None:
                unfit = "had ended" if found.status == "exited" else "does not fit any more"
                self.log(f"labelstudio-proxy: The container {plan.name} {unfit}, and is replaced.")
                await remove(engine, found)
            await self._create(engine, plan, key, owner, background=background)
            self.report("container", detail=plan.name)
        self.report("answer")
        return self._endpoint

    async def answered(self) -> None:
        container = self._container
        assert container is not None, "launch() comes first"
        # The first program of a container is the engine's own. Where its processes cannot be seen,
        # as from another container, nothing is ever found.
        pid = int(container.attrs["State"].get("Pid") or 0)
        self._standstill = Standstill(pid, MARK_OF_COMMAND.encode(), itself=False)
        if self._yields:
            self._yields = False
            try:
                await self._connected().ask(lambda _: container.update(cpu_shares=USUAL_SHARES))
            except (APIError, EngineFault) as error:
                logger.warning("%s keeps its small share of the processors: %s", self._name, error)

    async def wait(self) -> str:
        assert self._container is not None, "launch() comes first"
        showing = asyncio.create_task(self._show())
        try:
            return await self._until_ended(self._container)
        finally:
            showing.cancel()

    async def _show(self) -> None:
        """Let the container know that there is a gateway: without one, it ends after a while."""
        seconds = float(self._private.get(ORPHAN_VARIABLE) or ORPHAN_SECONDS)
        async with open_session(self._endpoint) as session:
            while True:
                await answers(session, self._endpoint, "/health", {GATEWAY_HEADER: self._sign})
                await asyncio.sleep(seconds / SHOWINGS)

    async def _until_ended(self, container: Container) -> str:
        engine, paused, ended, alone = self._connected(), 0, False, False
        while True:
            try:
                await engine.ask(self._reload, seconds=QUICK_SECONDS)
                alone = False
            except NotFound:
                raise self._gone(
                    "was removed", "Somebody, or another program, removed it: `docker rm`."
                ) from None
            except (EngineFault, APIError) as error:
                fault = error if isinstance(error, EngineFault) else refused("is lost", error)
                # Containers may well go on without their engine, and people with their work.
                if not await self._answers():
                    raise fault from error
                if not alone:
                    logger.warning("%s Label Studio goes on.", fault.what)
                alone = True
                await asyncio.sleep(POLL_SECONDS)
                continue
            state = container.attrs["State"]
            paused = paused + 1 if state.get("Paused") else 0
            if paused >= PAUSED_POLLS:
                self._leave = True
                raise Held(
                    f"Label Studio's container {self._name} is paused.",
                    "Somebody, or another program, paused it: `docker pause`.",
                    "Try again continues it, as `docker unpause` does. Nothing is lost.",
                )
            if state.get("Status") not in {"created", "running", "paused", "restarting"}:
                if ended:
                    return self._ending(state)
                # Whoever removes a container kills it first.
                ended = True
                await asyncio.sleep(REMOVAL_SECONDS)
                continue
            if await self._stands_still():
                return STANDING_STILL
            self._follow_again()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._follower_ended(), POLL_SECONDS)

    async def _stands_still(self) -> bool:
        now = time.monotonic()
        if self._standstill is None or now < self._next_look:
            return False
        # In step, though it is asked at other times.
        self._next_look = max(self._next_look, now - LOOK_SECONDS) + LOOK_SECONDS
        return await asyncio.to_thread(self._standstill.look)

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        if how == STANDING_STILL:
            return explain_standstill()
        limit = self._settings.memory_limit
        if how == "out of memory":
            return self._gone(
                "was ended for want of memory",
                f"It needed more than its `memory_limit` of {limit}."
                if limit
                else "The machine ran out of memory.",
                "Raise `memory_limit` and restart Jupyter (Label Studio needs at least 500 MB)."
                if limit
                else "Close kernels that are not needed, then try again.",
            )
        if how == f"exit status {KILLED}":
            return self._gone(
                "was killed",
                "From outside, by somebody (`docker kill`) or by the system for want of memory"
                + (f" (`memory_limit` is {limit})." if limit else "."),
                "Try again.",
            )
        if how == f"exit status {TERMINATED}" and any(ORPHAN_WORDS in line for line in tail):
            return self._gone(
                "has ended by itself",
                "For long, no gateway had shown itself to it: Jupyter may have been stopped or "
                "paused, but not its container.",
            )
        if how == f"exit status {TERMINATED}":
            return self._gone(
                "was stopped",
                "By somebody (`docker stop`), or as the container engine was stopped or restarted.",
            )
        if any(re.search(r"label-studio failed|failed to exec pid1", line) for line in tail):
            return Explained(
                f"Label Studio could not be run from the image {self._settings.image}.",
                "The image has no `label-studio` program.",
                "Correct the setting `image` and restart Jupyter.",
            )
        return super().explain(how, tail)

    async def stop(self) -> None:
        engine = self._engine
        if engine is None:
            return
        try:
            if self._made and not self._leave:
                await engine.check()
                found = await self._ours(engine)
                if found is not None:
                    await remove(engine, found)
                await self._remove_volume(engine)
                await asyncio.to_thread(forget, self._directory)
        except Problem as problem:
            raise Problem(
                f"Label Studio's container {self._name} could not be stopped, and may go on.",
                f"{problem.what} {problem.why}",
                problem.remedy,
            ) from problem
        finally:
            if self._follower is not None:
                self._follower.close()
            engine.close()
            self._engine = None

    # ---- before a container

    async def _connect(self) -> Engine:
        try:
            return await connect_engine()
        except EngineFault as fault:
            if not self._without_process:
                raise
            engine = (
                "there is no container engine to run it with"
                if isinstance(fault, NotThere)
                else "the container engine that could run it cannot be used now"
            )
            raise Problem(
                f"Label Studio is not installed, and {engine}.",
                f"As for the engine: {fault.what} {fault.why}",
                f"Either as a process: {self._without_process} Or as a container: {fault.remedy}",
            ) from fault

    async def _plan(self) -> Plan:
        return await asyncio.to_thread(self._planner.plan, self._site, self._image)

    def _secret_key(self) -> str:
        return self._private.get("SECRET_KEY") or self._directory.secret_key()

    # ---- the container

    async def _find(self, plan: Plan) -> Container | None:
        """The container of our name, if it is ours; raises Problem if it is somebody else's."""
        engine = self._connected()
        try:
            found: Container = await engine.ask(lambda client: client.containers.get(plan.name))
        except NotFound:
            return None
        except APIError as error:
            raise refused("could not be looked for", error) from error
        wanted = plan.owner_labels()
        if {name: found.labels.get(name) for name in wanted} != wanted:
            raise Problem(
                f"There is a container {plan.name} already, and it is not this Label Studio's.",
                "It has the name, but not the labels that labelstudio-proxy gives.",
                f"If nobody needs it: `docker rm --force {plan.name}`, then try again.",
            )
        return found

    async def _ours(self, engine: Engine) -> Container | None:
        """The container that this start has made or found, whatever has become of its name."""
        if self._container is not None:
            identifier = self._container.id
            with contextlib.suppress(NotFound):
                return await engine.ask(lambda client: client.containers.get(identifier))
            return None
        # One that was interrupted may have made it nevertheless; another gateway's stays.
        found = await self._find(await self._plan())
        if found is None:
            return None
        ours = found.labels.get(START_LABEL) == self._start or found.id == self._candidate
        return found if ours else None

    async def _remove_volume(self, engine: Engine) -> None:
        """The one with what is secret, which stays where somebody removes the container alone."""
        with contextlib.suppress(NotFound, APIError):
            if self._volume:
                await engine.ask(lambda client: client.volumes.get(self._volume).remove())

    async def _adopt(self, engine: Engine, found: Container, plan: Plan, key: str) -> bool:
        """Take over a container that still runs, from a gateway that was killed, if it is fit."""
        if found.labels.get(SETTINGS_LABEL) != plan.digest(key):
            return False
        if found.status == "paused":
            await do(engine, "could not be continued", found.unpause)
            await do(engine, "could not be found", found.reload)
        if found.status != "running":
            return False
        endpoint = self._endpoint_of(found, plan)
        # Where the accounts are in a database of its own, nothing is known of the owner here.
        account = await asyncio.to_thread(self._directory.first_account)
        async with open_session(endpoint) as session:
            if account is None or not await healthy(session, endpoint):
                return False
            if not await lets_in(session, endpoint, key, account.id):
                return False
        self._take(found, endpoint, tail=LOG_TAIL)
        return True

    async def _create(
        self, engine: Engine, plan: Plan, key: str, owner: Owner | None, *, background: bool
    ) -> None:
        account = (
            {"LABEL_STUDIO_USERNAME": owner.email, "LABEL_STUDIO_PASSWORD": owner.password}
            if owner is not None
            else {}
        )
        files, options = plan.files(account), plan.options(key)
        options["labels"] = {**options["labels"], START_LABEL: self._start}
        # Podman 4.3 could not give them back.
        if background and engine.name == "Docker":
            options["cpu_shares"] = BACKGROUND_SHARES
        container = await do(
            engine,
            "could not be made",
            lambda: engine.client.containers.create(**options),
        )
        await do(engine, "could not be prepared", lambda: container.put_archive(OURS, files))
        await self._check_visible(engine, container, plan)
        await do(engine, "could not be started", container.start)
        await do(engine, "could not be found", container.reload)
        self._take(container, self._endpoint_of(container, plan), tail="all")

    def _take(self, container: Container, endpoint: Endpoint, tail: int | str) -> None:
        self._container, self._endpoint = container, endpoint
        self._yields = container.attrs["HostConfig"].get("CpuShares") == BACKGROUND_SHARES
        self._follower = Follower(container, self.log, tail=tail)
        for mount in container.attrs.get("Mounts") or []:
            if mount.get("Destination") == OURS:
                self._volume = str(mount.get("Name") or "")

    def _follow_again(self) -> None:
        """Where the engine has ended the stream of what the container prints, which goes on."""
        follower = self._follower
        if follower is not None and follower.ended.is_set():
            self._follower = Follower(self._container, self.log, since=follower.ended_at)

    async def _check_visible(self, engine: Engine, container: Container, plan: Plan) -> None:
        """Whether the engine sees the very folders that Jupyter sees, and not others of that name."""
        failure = "could not be looked into"
        key_file = self._directory.path / ".env"
        key = await asyncio.to_thread(key_file.read_bytes)
        seen = await do(engine, failure, lambda: file_in(container, f"{DATA}/{key_file.name}"))
        unseen = [] if seen == key else [(key_file, "data_dir")]
        files_root = self._files_root
        if files_root is not None and not await do(
            engine, failure, lambda: is_in(container, str(files_root))
        ):
            unseen.append((files_root, "files_root"))
        for path, setting in unseen:
            await remove(engine, container)
            raise Problem(
                f"The container engine does not see {path}, or sees another in its place.",
                "It runs on another machine than Jupyter, or in another container.",
                f"Set `{setting}` to a folder that both share, and restart Jupyter.",
            )

    def _endpoint_of(self, container: Container, plan: Plan) -> Endpoint:
        network = container.attrs["NetworkSettings"]
        if plan.publish:
            published = (network.get("Ports") or {}).get(f"{PORT}/tcp") or []
            if published:
                return Endpoint(
                    port=int(published[0]["HostPort"]),
                    listener=engine_listener(self._connected().address.socket),
                )
            return NOWHERE
        address = network["Networks"][plan.network]["IPAddress"]
        return Endpoint(host=address, port=PORT) if address else NOWHERE

    # ---- its life

    def _connected(self) -> Engine:
        assert self._engine is not None, "prepare() comes first"
        return self._engine

    def _reload(self, client: Any) -> None:
        assert self._container is not None
        self._container.attrs = client.api.inspect_container(self._container.id)

    async def _answers(self) -> bool:
        async with open_session(self._endpoint) as session:
            return await healthy(session, self._endpoint)

    async def _follower_ended(self) -> None:
        assert self._follower is not None
        await self._follower.ended.wait()
        await asyncio.sleep(POLL_SECONDS / 10)  # the engine notes the end a little later

    def _ending(self, state: Mapping[str, Any]) -> str:
        if state.get("OOMKilled"):
            return "out of memory"
        return f"exit status {state.get('ExitCode')}"

    def _gone(self, what: str, why: str, remedy: str = "Try again.") -> Problem:
        return NotAgain(f"Label Studio's container {self._name} {what}.", why, remedy)


async def pull(engine: Engine, settings: DockerSettings, report: Report) -> Any:
    """The image of the settings, with its step reported where it has to be downloaded."""
    return await get_image(
        engine,
        settings.image,
        settings.pull_policy,
        lambda text, done, total: report(PULL, detail=text, done=done, total=total),
    )
