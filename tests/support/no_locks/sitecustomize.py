"""Makes the kernel refuse file locks to this process and its children, as NFS without locks does.

Python runs this at its start where the folder is in `PYTHONPATH`. `REFUSED_LOCKS`: `flock` or
`fcntl`, and the number of the error, for example `fcntl 37`. Linux on x86-64 and ARM only.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # of the BPF that seccomp(2) runs
CALL, SECOND_ARGUMENT = 0, 24  # offsets in struct seccomp_data
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
SET_LOCK, SET_LOCK_AND_WAIT = 6, 7  # commands of fcntl(2)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # for prctl(2)

flock, fcntl = {"x86_64": (73, 72), "aarch64": (32, 25)}[platform.machine()]
kind, number = os.environ["REFUSED_LOCKS"].split()
if kind == "flock":
    program = [(LOAD, 0, 0, CALL), (JUMP_IF_EQUAL, 0, 1, flock)]
else:
    program = [
        (LOAD, 0, 0, CALL),
        (JUMP_IF_EQUAL, 0, 4, fcntl),
        (LOAD, 0, 0, SECOND_ARGUMENT),
        (JUMP_IF_EQUAL, 1, 0, SET_LOCK),
        (JUMP_IF_EQUAL, 0, 1, SET_LOCK_AND_WAIT),
    ]
program += [(RETURN, 0, 0, REFUSE | int(number)), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
given = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert prctl(SECCOMP, FILTER, given) == 0, os.strerror(ctypes.get_errno())
