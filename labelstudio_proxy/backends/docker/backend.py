"""The life of Label Studio's container: made or adopted, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from ...aio import begin_task
from ...data_directory import foreign_containers
from ...label_studio import paths
from ...label_studio.access_token import is_token_accepted
from ...label_studio.build import Build
from ...label_studio.programs.labelstudio_server import ORPHAN_SECONDS
from ...label_studio.upstream import Endpoint, is_healthy, open_session, responds
from ...problem import Problem
from ...snapshot import PULL
from ..base import Backend, Owner, Paused, Report
from ..start_output import LOAD, RESPONSE, StartOutput
from .container import (
    BACKGROUND_SHARES,
    NOWHERE,
    USUAL_SHARES,
    endpoint_of,
    find,
    make_container,
    memory_of,
    remove,
)
from .container_spec import (
    GATEWAY_HEADER,
    ORPHAN_VARIABLE,
    SETTINGS_LABEL,
    START_LABEL,
    VOLUME,
    Plan,
)
from .engine import QUICK_SECONDS, Engine, connect_engine
from .engine_problems import EngineProblem, not_installed
from .engine_refusals import refusal, request
from .exit_reasons import describe_exit, ended_on_purpose, explain_container_exit
from .image import get_image, version_label
from .leftover import clear_record, write_record
from .logs import LogFollower
from .plan import Planner, Site, find_site
from .short_run import ask_version, short_plan

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
REMOVAL_SECONDS = 0.5
CONTACTS = 30  # with the container, in the time after which it stops without a gateway
PAUSED_POLLS = 3  # `docker commit` pauses a container only for a moment
LOG_TAIL = 200  # lines of an adopted container


class DockerBackend(Backend):
    """Runs Label Studio's image with the fewest rights that it needs."""

    name = "docker"
    steps = (
        ("engine", "Find Docker or Podman"),
        (PULL, "Get the image of Label Studio"),
        ("database", "Prepare the database"),
        ("container", "Start the container"),
        LOAD,
        RESPONSE,
    )

    def __init__(
        self,
        report: Report,
        log: Callable[[str], None],
        planner: Planner,
        without_process: str = "",
        *,
        can_install: bool = False,
    ) -> None:
        """`without_process`: how to install Label Studio as a process, shown without an engine.

        `can_install`: whether the page can do that.
        """
        super().__init__(report, log)
        self._planner = planner
        self._settings = planner.settings
        self._directory = planner.directory
        self._without_process = without_process
        self._can_install = can_install
        self._engine: Engine | None = None
        self._site = Site()
        self._image = ""
        self._name = ""
        self._container: Container | None = None
        self._volume = ""
        self._endpoint = NOWHERE
        self._start = uuid.uuid4().hex  # identifies a container that this start made
        self._candidate = ""  # the id of a container that was there before
        self._may_run = False  # this start has a container, or is making one
        self._low_priority = False
        self._follower: LogFollower | None = None
        self._output: StartOutput | None = None

    async def prepare(self) -> None:
        self.report("engine")
        self._engine = await self._connect()
        self.versions[self._engine.name] = self._engine.version
        self.report("engine", detail=f"{self._engine.name} {self._engine.version}")
        self._site = await find_site(self._engine)
        unquoted = self._engine.name == "Podman"
        await asyncio.to_thread(self._planner.check_folders, unquoted=unquoted)
        image = await get_image(
            self._engine, self._settings.image, self._settings.pull_policy, self._report_pull
        )
        self._image = str(image.id)
        self.build = Build(image=self._image)
        self.versions["Label Studio"] = version_label(image) or await self._ask_version()
        self.engine_url = self._engine.address.url

    async def remove_leftover(self) -> None:
        engine, plan = self._connected(), await self._plan()
        found = await find(engine, plan)
        if found is not None:
            await remove(engine, found)

    async def launch(self, owner: Owner | None, *, background: bool) -> Endpoint:
        engine = self._connected()
        self.report("container")
        plan = await self._plan()
        self._name = plan.name
        if self._site.jupyter:  # the engine knows the directory by another path
            user = self._planner.user_name
            await foreign_containers.ensure_none(self._directory.path, user, plan.data)
        await asyncio.to_thread(self._directory.give_to, plan.user)
        key = await asyncio.to_thread(self._secret_key)
        found = await find(engine, plan)
        self._candidate = str(found.id) if found is not None else ""
        self._may_run = True
        url, labels = engine.address.url, plan.owner_labels()
        await asyncio.to_thread(write_record, self._directory, url, plan.name, labels)
        if found is not None and await self._adopt(engine, found, plan, key):
            self.report("container", detail=f"{plan.name} was running")
            self.report(RESPONSE[0])
        else:
            if found is not None:
                reason = "ended" if found.status == "exited" else "does not match the settings"
                self.log(f"labelstudio-proxy: The container {plan.name} {reason}. Replacing it.")
                await remove(engine, found)
            made = await make_container(
                engine,
                plan,
                key,
                owner,
                start=self._start,
                data_dir=self._directory.path,
                files_root=self._planner.files_root,
                background=background and self._site.changes_shares,
            )
            self.report("container", detail=plan.name)
            self.report(LOAD[0])
            output = StartOutput(self.report)
            self._take(made, self._endpoint_of(made, plan), tail="all", output=output)
        return self._endpoint

    async def on_first_response(self) -> None:
        container = self._container
        assert container is not None, "launch() comes first"
        if self._low_priority:
            self._low_priority = False
            try:
                await self._connected().ask(lambda _: container.update(cpu_shares=USUAL_SHARES))
            except (APIError, EngineProblem) as error:
                logger.warning("Container %s keeps its low priority: %s", self._name, error)

    async def memory(self) -> int | None:
        if self._container is None or not self._site.measures_memory:
            return None
        return await memory_of(self._connected(), self._container)

    async def wait(self) -> str:
        assert self._container is not None, "launch() comes first"
        contacts = begin_task(self._contact())
        try:
            return await self._until_ended(self._container)
        finally:
            contacts.cancel()

    async def _contact(self) -> None:
        """Contact the container regularly: without a gateway, it stops after a while."""
        seconds = float(self._planner.private.get(ORPHAN_VARIABLE) or ORPHAN_SECONDS)
        async with open_session(self._endpoint) as session:
            while True:
                await responds(session, self._endpoint, paths.HEALTH, {GATEWAY_HEADER: "1"})
                await asyncio.sleep(seconds / CONTACTS)

    async def _until_ended(self, container: Container) -> str:
        engine, paused, ended, engine_lost = self._connected(), 0, False, False
        while True:
            try:
                await engine.ask(self._reload, seconds=QUICK_SECONDS)
                engine_lost = False
            except NotFound:
                raise ended_on_purpose(
                    self._name,
                    "was removed",
                    "`docker rm` or another program removed it.",
                ) from None
            except (EngineProblem, APIError) as error:
                fault = (
                    error
                    if isinstance(error, EngineProblem)
                    else refusal("could not be checked", error)
                )
                # Containers can run without their engine, and users can work.
                if not await self._responds():
                    raise fault from error
                if not engine_lost:
                    logger.warning("%s Label Studio keeps running.", fault.what)
                engine_lost = True
                await asyncio.sleep(POLL_SECONDS)
                continue
            state = container.attrs["State"]
            paused = paused + 1 if state.get("Paused") else 0
            if paused >= PAUSED_POLLS:
                raise Paused(
                    f"Label Studio's container {self._name} is paused.",
                    "`docker pause` or another program paused it. Nothing is lost.",
                    "Try again resumes it, as `docker unpause` does.",
                )
            if state.get("Status") not in {"created", "running", "paused", "restarting"}:
                if ended:
                    return describe_exit(state)
                # `docker rm` kills a container first, then removes it.
                ended = True
                await asyncio.sleep(REMOVAL_SECONDS)
                continue
            self._follow_again()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._follower_ended(), POLL_SECONDS)

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        problem = explain_container_exit(self._name, self._settings, how, tail)
        return problem or super().explain(how, tail)

    def how_to_install(self, requirements: str) -> str:
        return "Set `image` to another version of Label Studio, and restart Jupyter."

    async def stop(self) -> None:
        engine = self._engine
        if engine is None:
            return
        try:
            if self._may_run:
                await engine.check()
                found = await self._ours(engine)
                if found is not None:
                    await remove(engine, found)
                await self._remove_volume(engine)
                await asyncio.to_thread(clear_record, self._directory)
        except Problem as problem:
            raise Problem(
                f"Label Studio's container {self._name} could not be stopped and may still run.",
                f"{problem.what} {problem.why}",
                problem.remedy,
            ) from problem
        await self.detach()

    async def detach(self) -> bool:
        if self._follower is not None:
            self._follower.close()
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        return self._may_run

    # ---- before the container

    async def _connect(self) -> Engine:
        try:
            return await connect_engine()
        except EngineProblem as fault:
            if not self._without_process:
                raise
            can_install = self._can_install
            raise not_installed(fault, self._without_process, can_install=can_install) from fault

    def _report_pull(self, text: str, done: int, total: int) -> None:
        self.report(PULL, detail=text, done=done, total=total)

    async def _ask_version(self) -> str:
        plan = await asyncio.to_thread(short_plan, self._planner, self._image, self._site)
        return await ask_version(self._connected(), plan, self._settings.image)

    async def _plan(self) -> Plan:
        return await asyncio.to_thread(self._planner.plan, self._site, self._image)

    def _secret_key(self) -> str:
        return self._planner.private.get("SECRET_KEY") or self._directory.secret_key()

    # ---- the container

    async def _ours(self, engine: Engine) -> Container | None:
        """Return the container that this start made or found, even under another name."""
        if self._container is not None:
            identifier = self._container.id
            with contextlib.suppress(NotFound):
                return await engine.ask(lambda client: client.containers.get(identifier))
            return None
        # An interrupted request may have made it. Another gateway's container stays.
        found = await find(engine, await self._plan())
        if found is None:
            return None
        ours = found.labels.get(START_LABEL) == self._start or found.id == self._candidate
        return found if ours else None

    async def _remove_volume(self, engine: Engine) -> None:
        """Remove the volume with the secrets, which `docker rm` without `-v` leaves."""
        with contextlib.suppress(NotFound, APIError):
            if self._volume:
                await engine.ask(lambda client: client.volumes.get(self._volume).remove())

    def _endpoint_of(self, container: Container, plan: Plan) -> Endpoint:
        return endpoint_of(self._connected(), container, plan, self._directory.socket)

    async def _adopt(self, engine: Engine, found: Container, plan: Plan, key: str) -> bool:
        """Adopt a running container of a gateway that was killed; return False if it is unfit."""
        if found.labels.get(SETTINGS_LABEL) != plan.digest(key):
            return False
        if found.status == "paused":
            await request(engine, "could not be resumed", found.unpause)
            await request(engine, "could not be found", found.reload)
        if found.status != "running":
            return False
        endpoint = self._endpoint_of(found, plan)
        # None if the accounts are in an external database.
        account = await asyncio.to_thread(self._directory.first_account)
        async with open_session(endpoint) as session:
            if account is None or not await is_healthy(session, endpoint):
                return False
            if not await is_token_accepted(session, endpoint, key, account.id):
                return False
        self._take(found, endpoint, tail=LOG_TAIL)
        return True

    def _take(
        self,
        container: Container,
        endpoint: Endpoint,
        tail: int | str,
        output: StartOutput | None = None,
    ) -> None:
        self._container, self._endpoint = container, endpoint
        self._low_priority = container.attrs["HostConfig"].get("CpuShares") == BACKGROUND_SHARES
        self._output = output
        self._follower = LogFollower(container, self._accept_line, tail=tail)
        for mount in container.attrs.get("Mounts") or []:
            if mount.get("Destination") == VOLUME:
                self._volume = str(mount.get("Name") or "")

    def _accept_line(self, line: str) -> None:
        self.log(line)
        if self._output is not None:
            self._output.accept(line)

    def _follow_again(self) -> None:
        """Follow the log again if the engine closed the stream of a running container."""
        follower = self._follower
        if follower is not None and follower.ended.is_set():
            self._follower = LogFollower(
                self._container, self._accept_line, since=follower.ended_at
            )

    # ---- while it runs

    def _connected(self) -> Engine:
        assert self._engine is not None, "prepare() comes first"
        return self._engine

    def _reload(self, client: Any) -> None:
        assert self._container is not None
        self._container.attrs = client.api.inspect_container(self._container.id)

    async def _responds(self) -> bool:
        async with open_session(self._endpoint) as session:
            return await is_healthy(session, self._endpoint)

    async def _follower_ended(self) -> None:
        assert self._follower is not None
        await self._follower.ended.wait()
        await asyncio.sleep(POLL_SECONDS / 10)  # the engine reports the end a little later
