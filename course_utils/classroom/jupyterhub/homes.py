"""A user id and a home for each student. The owner of a home is the student's user id, and the only record of it."""

import os
import pwd
import re
from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # names become folders
FIRST_UID = 40_000  # useradd counts upwards from 1000, and containers often have no ids above 65,535


def give_home(home: Path, first_uid: int) -> int:
    """The user id a home belongs to. Where there is no home yet, it is made, with an id that nobody has.

    Ids of students begin at ``first_uid``.

    Raises:
        PermissionError: if the home belongs to root or to a user of the system.
    """
    if not home.exists():
        uid = max([first_uid - 1, *(other.stat().st_uid for other in home.parent.iterdir())]) + 1
        while _is_known(uid):
            uid += 1
        unborn = home.with_name(f".{home.name}")  # gets its name last: a home that exists is never root's
        unborn.mkdir(mode=0o700, exist_ok=True)
        os.chown(unborn, uid, uid)
        unborn.rename(home)
    uid = home.stat().st_uid
    if uid < first_uid or _is_known(uid):
        raise PermissionError(f"{home} belongs to user id {uid}, which is no student's")
    return uid


def _is_known(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False
