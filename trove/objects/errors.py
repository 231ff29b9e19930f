# SPDX-License-Identifier: Apache-2.0
"""The errors of stored things. Symbols are for ever: append, never rename."""

from collections.abc import Sequence

from trove.common import exception


class InstanceNotFound(exception.NotFound):
    symbol = "instance.not_found"

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id} was not found.")


class InvalidInstanceState(exception.UnprocessableEntity):
    """The transition table has no line for this event in the instance's present state."""

    symbol = "instance.state"

    def __init__(self, instance_id: str, status: str, event: str) -> None:
        self.status = status
        self.event = event
        super().__init__(
            f"Instance {instance_id} is in state {status}, which does not allow '{event}'; wait until it has changed."
        )


class SetNotFound(exception.NotFound):
    """The set went with its last member."""

    symbol = "set.not_found"

    def __init__(self, set_id: str) -> None:
        super().__init__(f"Set {set_id} was not found.")


class DatastoreNotFound(exception.NotFound):
    symbol = "datastore.not_found"

    def __init__(self, name_or_id: str) -> None:
        super().__init__(f"Datastore '{name_or_id}' was not found.")


class DatastoreMissing(exception.BadRequest):
    """No datastore was named and no default is configured."""

    symbol = "datastore.missing"
    default = "No datastore was named and there is no default; name one as datastore.type."


class DatastoreInUse(exception.BadRequest):
    symbol = "datastore.in_use"

    def __init__(self, name: str, users: Sequence[str] = ()) -> None:
        what = f"is used by {', '.join(users)}" if users else "still has versions"
        super().__init__(f"Datastore '{name}' {what}; delete them first.")


class VersionNotFound(exception.NotFound):
    """A version was asked for by an id that does not exist (in that datastore)."""

    symbol = "datastore_version.not_found"

    def __init__(self, version_id: str) -> None:
        super().__init__(f"Datastore version {version_id} was not found.")


class VersionUnknown(exception.BadRequest):
    """A version was asked for by a name that the datastore does not have; 400, as existing clients expect."""

    symbol = "datastore_version.unknown"

    def __init__(self, datastore: str, version: str) -> None:
        super().__init__(f"Datastore '{datastore}' has no version '{version}'; list its versions and name one of them.")


class VersionAmbiguous(exception.BadRequest):
    symbol = "datastore_version.ambiguous"

    def __init__(self, datastore: str, version: str) -> None:
        super().__init__(
            f"Datastore '{datastore}' has several versions named '{version}'; name an id or add the version number."
        )


class VersionMissing(exception.BadRequest):
    """No version was named and the datastore has no default."""

    symbol = "datastore_version.missing"

    def __init__(self, datastore: str) -> None:
        super().__init__(f"Datastore '{datastore}' has no default version; name one as datastore.version.")


class VersionInactive(exception.BadRequest):
    symbol = "datastore_version.inactive"

    def __init__(self, datastore: str, version: str) -> None:
        super().__init__(f"Version '{version}' of datastore '{datastore}' is not active; choose an active version.")


class VersionInUse(exception.BadRequest):
    symbol = "datastore_version.in_use"

    def __init__(self, version: str, users: Sequence[str]) -> None:
        super().__init__(f"Datastore version '{version}' is still used by {', '.join(users)}; delete them first.")


class VersionExists(exception.BadRequest):
    """400, not 409: existing clients expect it."""

    symbol = "datastore_version.exists"

    def __init__(self, datastore: str, name: str, version: str) -> None:
        super().__init__(f"Datastore '{datastore}' already has a version '{name}' with the number '{version}'.")


class FlavorNotFound(exception.NotFound):
    symbol = "flavor.not_found"

    def __init__(self, flavor_id: str) -> None:
        super().__init__(f"Flavor '{flavor_id}' was not found.")


class FlavorNotAllowed(exception.BadRequest):
    """The version is restricted to other flavors."""

    symbol = "flavor.not_allowed"

    def __init__(self, flavor: str, version: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"Flavor {flavor} may not be used with datastore version '{version}'; use one of {', '.join(allowed)}."
        )


class VolumeTypeNotFound(exception.NotFound):
    symbol = "volume_type.not_found"

    def __init__(self, name_or_id: str) -> None:
        super().__init__(f"Volume type '{name_or_id}' was not found.")


class VolumeTypeUnknown(exception.BadRequest):
    """A request refers to a volume type that does not exist, or that the caller may not see."""

    symbol = "volume_type.unknown"

    def __init__(self, name_or_id: str) -> None:
        super().__init__(f"Volume type '{name_or_id}' was not found; list the volume types to see what there is.")


class VolumeTypeNotAllowed(exception.BadRequest):
    """The version is restricted to other volume types."""

    symbol = "volume_type.not_allowed"

    def __init__(self, name: str | None, version: str, allowed: Sequence[str]) -> None:
        what = f"Volume type '{name}' may not be used" if name else "A volume without a type may not be used"
        choice = ", ".join(allowed) or "none exists any more; ask the operator"
        super().__init__(f"{what} with datastore version '{version}'; volume.type must be one of: {choice}.")


class GuestNotFound(exception.NotFound):
    """An instance has no guest identity: it was never issued, its guest was removed, or its keys were revoked."""

    symbol = "guest.not_found"

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id} has no guest.")


class GuestTooOld(exception.UnprocessableEntity):
    """The agent of an instance does not know what would be asked of it."""

    symbol = "guest.too_old"

    def __init__(self, instance_id: str, names: Sequence[str]) -> None:
        what = ", ".join(f"'{name}'" for name in names)
        super().__init__(f"The agent of instance {instance_id} is too old for {what}; ask the operator to upgrade it.")


class TermsNotYet(exception.Conflict):
    symbol = "guest_command.terms"
    default = "A process of the release before still runs and knows no terms; upgrade it, and try again."


class CommandNotFound(exception.NotFound):
    symbol = "guest_command.not_found"

    def __init__(self, command_id: str) -> None:
        super().__init__(f"Guest command {command_id} was not found.")


class SecretNotFound(exception.NotFound):
    symbol = "secret.not_found"

    def __init__(self, secret_id: str) -> None:
        super().__init__(f"Secret {secret_id} was not found; it may have been used up already.")


class UserNotFound(exception.NotFound):
    symbol = "user.not_found"

    def __init__(self, name: str, host: str) -> None:
        super().__init__(f"User '{name}' at host '{host}' was not found on this instance.")


class DatabaseNotFound(exception.NotFound):
    symbol = "database.not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"Database '{name}' was not found on this instance.")


class ConfigurationNotFound(exception.NotFound):
    symbol = "configuration.not_found"

    def __init__(self, configuration_id: str) -> None:
        super().__init__(f"Configuration group {configuration_id} was not found.")


class ConfigurationInUse(exception.BadRequest):
    """400, not 409: existing clients expect it."""

    symbol = "configuration.in_use"

    def __init__(self, configuration_id: str) -> None:
        super().__init__(
            f"Configuration group {configuration_id} is attached to an instance; detach it from all instances first."
        )


class ParameterNotFound(exception.NotFound):
    symbol = "configuration_parameter.not_found"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"Datastore version '{version}' has no configuration parameter '{name[:128]}'; list its parameters."
        )


class LogNotFound(exception.BadRequest):
    """400, not 404: existing clients expect it, also for a log that is not shown to them."""

    symbol = "log.not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"The instance has no log '{name[:64]}'; list its logs to see what there is.")


class ModuleNotFound(exception.NotFound):
    symbol = "module.not_found"

    def __init__(self, module_id: str) -> None:
        super().__init__(f"Module {module_id} was not found.")


class ModuleExists(exception.BadRequest):
    """400, not 409: existing clients expect it."""

    symbol = "module.exists"

    def __init__(self, name: str, module_type: str) -> None:
        super().__init__(
            f"There is a module '{name}' of type '{module_type}' for the same projects and datastores already; "
            "choose another name, or change that one."
        )
