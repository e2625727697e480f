"""Label Studio as a container, on any engine that speaks Docker's API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from ...label_studio import paths
from ...label_studio.access_token import lets_in
from ...label_studio.build import Build
from ...label_studio.upstream import Endpoint, answers, healthy, open_session
from ...problem import Problem
from ...snapshot import PULL
from ..base import Backend, Owner, Paused, Report
from .container import (
    BACKGROUND_SHARES,
    NOWHERE,
    USUAL_SHARES,
    endpoint_of,
    make_container,
    remove,
)
from .container_spec import (
    GATEWAY_HEADER,
    ORPHAN_SECONDS,
    ORPHAN_VARIABLE,
    SETTINGS_LABEL,
    START_LABEL,
    VOLUME,
    Plan,
)
from .engine import QUICK_SECONDS, Engine, connect_engine
from .engine_problems import EngineFault, NotThere
from .engine_refusals import do, refused
from .exit_reasons import ending, explain_end, gone
from .image import get_image, label_studio_version
from .leftover import clear_record, write_record
from .logs import Follower
from .plan import DockerSettings, Planner, Site, look_at

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
REMOVAL_SECONDS = 0.5
SHOWINGS = 30  # within the time after which a container takes its gateway for gone
PAUSED_POLLS = 3  # `docker commit` pauses a container, too, for a moment
LOG_TAIL = 200  # lines of an adopted container


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
        planner: Planner,
        without_process: str = "",
    ) -> None:
        """`without_process`: how to get Label Studio as a process, for when there is no engine."""
        super().__init__(report, log)
        self._planner = planner
        self._settings = planner.settings
        self._directory = planner.directory
        self._without_process = without_process
        self._engine: Engine | None = None
        self._site = Site()
        self._image = ""
        self._name = ""
        self._container: Container | None = None
        self._volume = ""
        self._endpoint = NOWHERE
        self._start = uuid.uuid4().hex  # by which a container of this start is known
        self._candidate = ""  # the id of one that was there before
        self._made = False  # or about to be
        self._yields = False  # to the machine's other programs
        self._follower: Follower | None = None

    async def prepare(self) -> None:
        self.report("engine")
        self._engine = await self._connect()
        self.versions[self._engine.name] = self._engine.version
        self.report("engine", detail=f"{self._engine.name} {self._engine.version}")
        self._site = await look_at(self._engine)
        unquoted = self._engine.name == "Podman"
        await asyncio.to_thread(self._planner.check_folders, unquoted=unquoted)
        image = await pull(self._engine, self._settings, self.report)
        self._image = str(image.id)
        self.build = Build(image=self._image)
        if version := label_studio_version(image, self._settings.image):
            self.versions["Label Studio"] = version
        self.engine_url = self._engine.address.url

    async def remove_leftover(self) -> None:
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
        found = await self._find(plan)
        self._candidate = str(found.id) if found is not None else ""
        self._made = True
        url, labels = engine.address.url, plan.owner_labels()
        await asyncio.to_thread(write_record, self._directory, url, plan.name, labels)
        if found is not None and await self._adopt(engine, found, plan, key):
            self.report("container", detail=f"{plan.name} was running")
        else:
            if found is not None:
                unfit = "had ended" if found.status == "exited" else "does not fit any more"
                self.log(f"labelstudio-proxy: The container {plan.name} {unfit}, and is replaced.")
                await remove(engine, found)
            made = await make_container(
                engine,
                plan,
                key,
                owner,
                start=self._start,
                data_dir=self._directory.path,
                files_root=self._planner.files_root,
                background=background,
            )
            self._take(made, endpoint_of(engine, made, plan), tail="all")
            self.report("container", detail=plan.name)
        self.report("answer")
        return self._endpoint

    async def on_first_response(self) -> None:
        container = self._container
        assert container is not None, "launch() comes first"
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
        seconds = float(self._planner.private.get(ORPHAN_VARIABLE) or ORPHAN_SECONDS)
        async with open_session(self._endpoint) as session:
            while True:
                await answers(session, self._endpoint, paths.HEALTH, {GATEWAY_HEADER: "1"})
                await asyncio.sleep(seconds / SHOWINGS)

    async def _until_ended(self, container: Container) -> str:
        engine, paused, ended, alone = self._connected(), 0, False, False
        while True:
            try:
                await engine.ask(self._reload, seconds=QUICK_SECONDS)
                alone = False
            except NotFound:
                raise gone(
                    self._name,
                    "was removed",
                    "Somebody, or another program, removed it: `docker rm`.",
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
                raise Paused(
                    f"Label Studio's container {self._name} is paused.",
                    "Somebody, or another program, paused it: `docker pause`.",
                    "Try again continues it, as `docker unpause` does. Nothing is lost.",
                )
            if state.get("Status") not in {"created", "running", "paused", "restarting"}:
                if ended:
                    return ending(state)
                # Whoever removes a container kills it first.
                ended = True
                await asyncio.sleep(REMOVAL_SECONDS)
                continue
            self._follow_again()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._follower_ended(), POLL_SECONDS)

    def explain(self, how: str, tail: Sequence[str]) -> Problem:
        problem = explain_end(self._name, self._settings, how, tail)
        return problem or super().explain(how, tail)

    async def stop(self) -> None:
        engine = self._engine
        if engine is None:
            return
        try:
            if self._made:
                await engine.check()
                found = await self._ours(engine)
                if found is not None:
                    await remove(engine, found)
                await self._remove_volume(engine)
                await asyncio.to_thread(clear_record, self._directory)
        except Problem as problem:
            raise Problem(
                f"Label Studio's container {self._name} could not be stopped, and may go on.",
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
        return self._made

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
        return self._planner.private.get("SECRET_KEY") or self._directory.secret_key()

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
        endpoint = endpoint_of(engine, found, plan)
        # Where the accounts are in a database of its own, nothing is known of the owner here.
        account = await asyncio.to_thread(self._directory.first_account)
        async with open_session(endpoint) as session:
            if account is None or not await healthy(session, endpoint):
                return False
            if not await lets_in(session, endpoint, key, account.id):
                return False
        self._take(found, endpoint, tail=LOG_TAIL)
        return True

    def _take(self, container: Container, endpoint: Endpoint, tail: int | str) -> None:
        self._container, self._endpoint = container, endpoint
        self._yields = container.attrs["HostConfig"].get("CpuShares") == BACKGROUND_SHARES
        self._follower = Follower(container, self.log, tail=tail)
        for mount in container.attrs.get("Mounts") or []:
            if mount.get("Destination") == VOLUME:
                self._volume = str(mount.get("Name") or "")

    def _follow_again(self) -> None:
        """Where the engine has ended the stream of what the container prints, which goes on."""
        follower = self._follower
        if follower is not None and follower.ended.is_set():
            self._follower = Follower(self._container, self.log, since=follower.ended_at)

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


async def pull(engine: Engine, settings: DockerSettings, report: Report) -> Any:
    """The image of the settings, with its step reported where it has to be downloaded."""
    return await get_image(
        engine,
        settings.image,
        settings.pull_policy,
        lambda text, done, total: report(PULL, detail=text, done=done, total=total),
    )
