"""Ends what is being done at each of its steps: as a killed process, or as a disk that is full."""

import errno
import itertools
import os
import signal
import sys
from unittest import mock

import pytest

STEPS = "open", "replace", "rename", "link", "unlink", "fsync", "mkdir", "rmdir", "chown", "geteuid"
"""What of ``os`` is counted. Between a file's ``open`` and its bytes there is ``geteuid`` alone."""
NEED_ROOM = "open", "replace", "rename", "link", "fsync", "mkdir"
MOST = 500


def counted(names, number, end):
    """Have the call ``number`` of these, and each one after it, do ``end`` in place of what it does."""
    calls = itertools.count()

    def stepping(real):
        def step(*given, **options):
            writes = real.__name__ != "open" or given[1] & os.O_CREAT
            if writes and next(calls) >= number:
                end()
            return real(*given, **options)

        return step

    return mock.patch.multiple(os, **{name: stepping(getattr(os, name)) for name in names})


def killed(number, act):
    """``act()`` in a child that is killed before the step ``number``: whether it was."""
    child = os.fork()
    if child == 0:
        kill = os.kill
        try:
            with counted(STEPS, number, lambda: kill(os.getpid(), signal.SIGKILL)):
                act()
        except BaseException as error:  # noqa: BLE001  # nothing of the test may go on in here
            sys.stderr.write(f"{error!r}\n")
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def full(number, act):
    """``act()`` on a disk that takes nothing from the step ``number`` on: whether it was told so."""

    def no_room():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with counted(NEED_ROOM, number, no_room):
        try:
            act()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return True
    return False


@pytest.fixture(name="every_step", params=[killed, full])
def _fixture(request):
    """Gives, until nothing is cut short any more, a function that cuts another's work short at the next step."""

    def steps():
        for number in range(MOST):
            cut = []
            yield lambda act, number=number, cut=cut: cut.append(request.param(number, act))
            if cut == [False]:
                return
        pytest.fail("it has no end")

    return steps
