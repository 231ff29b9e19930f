# SPDX-License-Identifier: Apache-2.0
"""Open the store that the options name."""

from pathlib import Path

from oslo_config import cfg

from trove.objectstore import base


def open_store(conf: cfg.ConfigOpts) -> base.ObjectStore | None:
    """Return the object store of this deployment, ``None`` when it has none.

    Nothing is asked over the network.

    :raises StoreRefused: when the options contradict each other or a directory cannot be made.
    """
    options = conf.object_store
    if options.driver == "filesystem":
        from trove.objectstore.filesystem import FilesystemStore

        if not options.path:
            raise base.StoreRefused("[object_store] driver 'filesystem' needs the option path")
        return FilesystemStore(Path(options.path))
    if options.driver == "swift":
        return _open_swift(conf)
    return None


def _open_swift(conf: cfg.ConfigOpts) -> base.ObjectStore:
    # Importing keystoneauth and requests costs memory that a service without Swift does not need.
    from keystoneauth1 import session
    from keystoneauth1.identity import v3

    from trove.objectstore.swift import SwiftStore

    user, options = conf.service_credentials, conf.object_store
    missing = [name for name in ("auth_url", "username", "password") if not user[name]]
    if not (user.project_id or user.project_name):
        missing.append("project_name")
    if missing:
        raise base.StoreRefused(f"[object_store] driver 'swift' needs [service_credentials] {', '.join(missing)}")
    auth = v3.Password(
        auth_url=user.auth_url,
        username=user.username,
        password=user.password,
        user_domain_name=user.user_domain_name,
        project_id=user.project_id,
        project_name=None if user.project_id else user.project_name,
        project_domain_name=None if user.project_id else user.project_domain_name,
    )
    verify = True if user.cafile is None else user.cafile
    chosen = {"region_name": user.region_name, "interface": options.swift_interface}
    return SwiftStore(
        session.Session(auth=auth, verify=verify),
        options=chosen,
        account_prefix=options.swift_account_prefix,
        timeout=options.swift_timeout,
    )
