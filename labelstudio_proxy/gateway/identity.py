"""The owner's identity: access tokens in Label Studio's own format, and the account they name."""

from __future__ import annotations

import asyncio
import os
import shlex
import sqlite3
from collections.abc import Mapping

import aiohttp

from ..config.settings import absolute
from ..data_directory.directory import Account, DataDirectory
from ..duration import duration
from ..label_studio import paths
from ..label_studio.access_token import (
    BODY_TOKEN_SECONDS,
    TOKEN_SECONDS,
    access_token,
    clock_lead,
)
from ..label_studio.upstream import HOST, Endpoint, url_of
from ..problem import Problem
from ..shell_command import shell_command

# In a database that is not SQLite, the owner is found among so many first accounts.
ACCOUNTS_TRIED = 100


class Identity:
    """Makes the tokens of one account of one running Label Studio."""

    def __init__(self, key: str, account: Account) -> None:
        """`key`: the SECRET_KEY of this Label Studio."""
        self.account = account
        self._key = key

    def authorization(self, *, has_body: bool = False) -> str:
        """Return the `Authorization` header of a request that is sent now.

        It is valid for a minute; with a body, which may take long, for a day. Each request gets a new
        one: a clock that is set, or a machine that was suspended, makes no kept token too old.
        """
        seconds = BODY_TOKEN_SECONDS if has_body else TOKEN_SECONDS
        return f"Bearer {access_token(self._key, self.account.id, seconds)}"


async def establish(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    directory: DataDirectory,
    *,
    environment: Mapping[str, str],
    external_database: bool,
    owner_email: str,
) -> Identity:
    """Return the identity of the owner in a Label Studio that is ready; raises Problem.

    `environment` (the setting) may have a SECRET_KEY, which Label Studio prefers to its `.env`.
    """
    key = environment.get("SECRET_KEY", "")
    if not key:
        key = await asyncio.to_thread(directory.secret_key)
    if external_database:
        return Identity(key, await _by_email(session, endpoint, key, owner_email))
    try:
        account = await asyncio.to_thread(directory.first_account)
    except sqlite3.Error as error:
        raise Problem(
            "The accounts of Label Studio cannot be read.",
            f"SQLite reports for {directory.database}: {error}.",
            "Try again. If that does not help, restore a backup: "
            f"`{shell_command('labelstudio-proxy restore')} FILE`.",
        ) from error
    if account is None:
        raise Problem(
            "Label Studio has no account.",
            "The account of the first start is missing.",
            f"Restart Label Studio: `{shell_command('labelstudio-proxy restart')}`.",
        )
    return Identity(key, account)


async def _by_email(
    session: aiohttp.ClientSession, endpoint: Endpoint, key: str, email: str
) -> Account:
    for user_id in range(1, ACCOUNTS_TRIED + 1):
        headers = {"Host": HOST, "Authorization": f"Bearer {access_token(key, user_id)}"}
        url = url_of(endpoint, paths.WHOAMI)
        async with session.get(url, headers=headers) as response:
            if problem := clock_problem(clock_lead(response.headers)):
                raise problem
            if response.status == 200 and (await response.json()).get("email") == email:
                return Account(user_id, email, active=True, personal_tokens=True)
    raise Problem(
        f"Label Studio has no account {email}.",
        f"None of the first {ACCOUNTS_TRIED} accounts in the database has this e-mail address, or "
        "it may not use personal access tokens.",
        "Set `owner_email` to the e-mail address of an account in that database and restart "
        "Jupyter.",
    )


def clock_problem(lead: float) -> Problem | None:
    """Return the Problem of a Label Studio whose clock is so far ahead that our tokens have expired.

    `lead`: from `clock_lead`. A clock that is behind does no harm.
    """
    if lead < TOKEN_SECONDS / 2:
        return None
    return Problem(
        f"Label Studio's clock is {duration(lead)} ahead of Jupyter's.",
        "labelstudio-proxy signs in with tokens that are valid for a minute. For Label Studio, they "
        "have expired.",
        "Correct the clock that is wrong (for a container in a virtual machine, restart that "
        "machine), then try again.",
    )


def explain_refusal(
    directory: DataDirectory, external_database: bool, lead: float, executable: str, image: str = ""
) -> Problem:
    """Return why a running Label Studio rejects the owner's token, and what to do.

    `lead`: from `clock_lead`. `executable`: the setting `label_studio`. `image`: the image that it
    runs from; "" if it is a process.
    """
    if problem := clock_problem(lead):
        return problem
    account = None
    if not external_database:
        try:
            account = directory.first_account()
        except sqlite3.Error:
            account = None
    what = "Label Studio does not let you in."
    if account is not None and not account.active:
        return Problem(
            what,
            f"The account {account.email} is deactivated.",
            "Activate it again: "
            + _by_password(directory, account, executable, image)
            + f" There, `{paths.ACCOUNTS}` has the account and its Active box. Then stop that Label "
            "Studio and try again.",
        )
    if account is not None and not account.personal_tokens:
        return Problem(
            what,
            "Personal access tokens are switched off in its organisation. labelstudio-proxy signs in "
            "with them.",
            "Switch them on again: "
            + _by_password(directory, account, executable, image)
            + " There, choose Organization, then API Tokens Settings, then Personal Access Tokens. "
            "Then stop that Label Studio and try again.",
        )
    return Problem(
        what,
        "Its secret key has probably changed since its start.",
        "Restart Label Studio. If that does not help, look at its log: "
        f"`{shell_command('labelstudio-proxy logs')}`.",
    )


def _by_password(directory: DataDirectory, account: Account, executable: str, image: str) -> str:
    path = shlex.quote(str(directory.path))
    program = shell_command("label-studio")
    if executable:
        program = shlex.quote(str(absolute(executable)))
    place, listen = f" --data-dir {path}", " --internal-host 127.0.0.1"
    if image:
        mount = f"type=bind,source={directory.path},target=/label-studio/data"
        program = (
            f"docker run -it --rm -u {os.getuid()}:{os.getgid()} -p 127.0.0.1:8080:8080 "
            f"--mount {shlex.quote(mount)} --entrypoint label-studio {image}"
        )
        place = listen = ""
    return (
        f"in a terminal, stop it with `{shell_command('labelstudio-proxy stop')}`, choose a password "
        "with "
        f"`{program} reset_password --username {account.email}{place}`, and start it without "
        f"labelstudio-proxy: `{program} start{listen}{place}`."
    )
