# SPDX-License-Identifier: Apache-2.0
"""The size that a request wants: the flavor it refers to, and how large a volume may be."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest
from trove.common import exception
from trove.objects import catalog, errors

FlavorReference = str | int | Mapping[str, Any]


class UnknownFlavor(exception.BadRequest):
    """400, not 404: existing clients and tests expect it when a request refers to a flavor."""

    symbol = "flavor.unknown"

    def __init__(self, flavor_id: str) -> None:
        super().__init__(f"Flavor {flavor_id} was not found; list the flavors to see what there is.")


class VolumeTooLarge(exception.QuotaExceeded):
    """One volume is over the cap of a single instance; 413, as clients expect."""

    symbol = "volume.too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"A volume of {size} GB is too large; at most {limit} GB are accepted.")


def flavor_id(reference: FlavorReference) -> str:
    """Return the id in a flavor reference: an id, a number, a URL that ends in the id, or an object with one of them
    as its ``id``."""
    if isinstance(reference, Mapping):
        reference = reference["id"]
    return str(reference).rstrip("/").rpartition("/")[2]


def find_flavor(session: Session, reference: FlavorReference) -> catalog.Flavor:
    """Return the flavor that a request refers to.

    :raises UnknownFlavor: when there is none.
    """
    wanted = flavor_id(reference)
    try:
        return catalog.Flavor.get(session, wanted)
    except errors.FlavorNotFound as err:
        raise UnknownFlavor(wanted) from err


def check_volume(req: ApiRequest, size: int) -> None:
    """Check a volume's size against the cap of one instance.

    :raises VolumeTooLarge: when it is over it.
    """
    limit = req.services.conf.max_accepted_volume_size
    if size > limit:
        raise VolumeTooLarge(size, limit)
