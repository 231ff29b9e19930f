# SPDX-License-Identifier: Apache-2.0
"""Try out a volume where nobody can inherit it: mount, enlarge and unmount one in a mount namespace of its own.

Whoever makes a mount namespace gets copies of all mounts of that moment, and a copy keeps a file system and its loop
device in use. So does every launcher of an instance (:mod:`.launch`; it lets go of instances' volumes, which it knows
by name), ``ip netns exec``, and many a program that is none of ours. A trial that is mounted where they look would now
and then fail for no fault of the host. In a private namespace that ends with the process nobody can take it along, and
nothing is left when the process is killed: the kernel unmounts, and the loop device goes with the mount.

For the same reason the process first lets go of the volumes that it has got copies of itself.

:func:`run` starts it; ``python -P -m trove.providers.local.volume_check DIRECTORY`` is it. A process, because a thread
with another mount namespace would be a trap for everything that reads ``/proc/self``.
"""

import contextlib
import sys
from pathlib import Path

from trove.providers import base
from trove.providers.local import commands, disks, launch, privileges

#: What the volume grows by.
_MORE = 16 * 2**20
_EXIT_FAILED = 1


def run(directory: Path) -> None:
    """Try a volume out.

    :param directory: empty, and of nobody else; files may be left in it.
    :raises base.RetryableError: when something is refused; the text says what.
    """
    module = ["-m", __name__, str(directory)]
    try:
        commands.run(sys.executable, "-P", *module, env=privileges.python_environment())
    except commands.ToolError as err:
        # Not the command line, which means nothing to an operator.
        raise base.RetryableError(str(err).removeprefix(f"{sys.executable} -P {' '.join(module)}: ")) from None


def attempt(directory: Path) -> None:
    """Do it, in the mount namespace of this process.

    :raises base.ProviderError, OSError: when something is refused.
    """
    image, mounted = directory / "disk.img", directory / "data"
    disks.make(image, disks.SMALLEST)
    disks.make_mountpoint(mounted)
    try:
        disks.mount(image, mounted, privileges.Account("root", 0, 0))
        disks.grow(image, mounted, disks.SMALLEST + _MORE)
    except BaseException:
        with contextlib.suppress(base.ProviderError):
            disks.unmount(image, mounted)
        raise
    disks.unmount(image, mounted)


def main(arguments: list[str]) -> int:
    """Do what the module's docstring says; the reason of a failure is written to standard error."""
    try:
        launch.private_namespace()
        launch.let_go([])
        attempt(Path(arguments[0]))
    except (base.ProviderError, launch.LaunchError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return _EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
