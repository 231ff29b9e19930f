# SPDX-License-Identifier: Apache-2.0
"""An object store that changes nothing once a lease has ended; see :mod:`trove.providers.guarded`."""

from collections.abc import Iterable, Iterator, Mapping

from trove.common import lease
from trove.objectstore import base

#: Methods that only look. Every other one changes something.
LOOKING = frozenset({"get", "head", "find"})


class GuardedStore:
    """``store`` for as long as ``lost`` is not set; then all but :data:`LOOKING` raises
    :class:`trove.common.lease.LeaseEnded`."""

    def __init__(self, store: base.ObjectStore, lost: lease.Token) -> None:
        self._store = store
        self._lost = lost

    def put(
        self,
        project_id: str,
        container: str,
        name: str,
        chunks: Iterable[bytes],
        *,
        metadata: Mapping[str, str] | None = None,
        expire_after: int | None = None,
    ) -> base.ObjectInfo:
        self._require("put")
        return self._store.put(project_id, container, name, chunks, metadata=metadata, expire_after=expire_after)

    def get(self, project_id: str, container: str, name: str) -> Iterator[bytes]:
        return self._store.get(project_id, container, name)

    def head(self, project_id: str, container: str, name: str) -> base.ObjectInfo:
        return self._store.head(project_id, container, name)

    def find(self, project_id: str, container: str, prefix: str = "") -> Iterator[base.ObjectInfo]:
        return self._store.find(project_id, container, prefix)

    def remove(self, project_id: str, container: str, name: str) -> None:
        self._require("remove")
        self._store.remove(project_id, container, name)

    def sweep(self) -> int:
        self._require("sweep")
        return self._store.sweep()

    def _require(self, name: str) -> None:
        lease.require(self._lost, f"{name} of the object store")
