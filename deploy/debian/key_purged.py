"""A chapter of the clean root: a purge that would take the only key asks first, and goes on where it was told to."""

from __future__ import annotations

from clean_root import CleanRoot, Failed

_STATE = "/var/lib/dijkwacht-agent"
_QUESTION = "dijkwacht-agent dijkwacht-agent/purge-key boolean"


def purged_without_a_copy(root: CleanRoot) -> None:
    """Refused, then with a copy, then removed with all that was asked and answered. Raises `Failed`."""
    purge = "apt-get", "purge", "dijkwacht-agent"
    answer = "echo '{} {}' | debconf-set-selections"
    root.run("sh", "-c", f"mkdir -m 700 {_STATE} && echo key >{_STATE}/privacy.key")
    root.run("sh", "-c", answer.format(_QUESTION, "false"))
    said = root.run(*purge, fails=True)
    if "There is no copy" not in said or "key save" not in said:
        raise Failed(said)
    root.run("test", "-s", f"{_STATE}/privacy.key")
    # The way out that it names.
    root.run("apt-get", "install", "dijkwacht-agent")
    root.run("dijkwacht-agent", "--version")
    # Nobody is asked where there is a copy, so the same answer holds nothing up.
    root.run("sh", "-c", f"touch {_STATE}/key.saved")
    said = root.run(*purge)
    if "There is no copy" in said:
        raise Failed(said)
    root.run("test", "!", "-e", _STATE)
    root.run("sh", "-c", "! grep -q dijkwacht /var/cache/debconf/config.dat")
    # And where it was not told anything a purge that nobody watches goes through.
    root.run("apt-get", "install", "dijkwacht-agent")
    root.run("sh", "-c", f"mkdir -m 700 {_STATE} && echo key >{_STATE}/privacy.key")
    said = root.run(*purge)
    if "There is no copy" not in said:
        raise Failed(said)
    root.run("test", "!", "-e", _STATE)
