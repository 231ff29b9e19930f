# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: the REST API: where it listens, who may call, page sizes, rates. Names are those operators already know
where one exists."""

from typing import Any

from oslo_config import cfg

LISTEN_OPTS = [
    cfg.HostAddressOpt("bind_host", default="0.0.0.0", help="Address the API listens on."),
    cfg.PortOpt("bind_port", default=8779, min=0, help="Port the API listens on; 0 picks a free one."),
    cfg.URIOpt(
        "public_endpoint",
        schemes=["http", "https"],
        help="Base URL of the links in answers, for example https://trove.example:8779. Set it when a proxy in front "
        "changes host or scheme and does not say so. By default links begin with the URL the request was addressed to.",
    ),
    cfg.IntOpt(
        "api_threads",
        default=16,
        min=1,
        help="Threads that answer requests. None of them waits for a client: a request is read before it takes one, "
        "and gives it back before its answer is sent.",
    ),
    cfg.IntOpt(
        "api_request_queue",
        default=100,
        min=0,
        help="Requests that may wait for one of api_threads. What comes beyond is answered at once with 503 and "
        "Retry-After. Raise it when clients come in bursts and may wait for their answers.",
    ),
    cfg.IntOpt(
        "api_waits_per_project",
        default=8,
        min=1,
        help="Requests of one project that may wait at a time for the outcome of what they began, such as the enabling "
        "of root; more are refused with 429 before they begin anything, or answered with 202 at once where the API has "
        "that answer. Under trove-api a request that waits occupies no thread; under another WSGI server it does, so "
        "there a quarter of api_threads may wait in all.",
    ),
    cfg.IntOpt("api_backlog", default=256, min=1, help="Connections that may wait to be accepted."),
    cfg.IntOpt(
        "api_max_connections",
        default=4000,
        min=16,
        help="Connections of clients at a time. When there are more, the one that has been longest without a complete "
        "request is closed; the same when one address has more than half of them. The process's limit of open files "
        "is raised as far as it may be, and bounds them too.",
    ),
    cfg.IntOpt(
        "api_client_timeout",
        default=10,
        min=1,
        help="Seconds a client has for the TLS handshake and all headers of a request together, likewise the longest "
        "pause within a request body, or in reading an answer. Bodies and answers have to be transferred at 32 KiB/s "
        "beyond it. Raise it for clients behind very slow links.",
    ),
    cfg.IntOpt(
        "max_request_body_size",
        default=114688,
        min=1024,
        help="Largest accepted request body in bytes; a larger one is refused with 413.",
    ),
    cfg.IntOpt(
        "max_header_line",
        default=16384,
        min=1024,
        help="Largest accepted size in bytes of all request headers together. "
        "Tokens with a large catalogue may need more.",
    ),
    cfg.StrOpt("api_cert_file", help="PEM certificate of the API. With it and api_key_file the API speaks HTTPS."),
    cfg.StrOpt("api_key_file", help="PEM private key of the API."),
]

AUTH_OPTS = [
    cfg.StrOpt(
        "auth_strategy",
        default="http_basic",
        choices=[
            (
                "http_basic",
                "Callers send a user name and a password, checked against http_basic_auth_user_file. Use it only over "
                "HTTPS or on a loopback address.",
            ),
            (
                "keystone",
                "Callers send a token, which Keystone validates; group [keystone_authtoken] says where Keystone is and "
                "who asks it.",
            ),
            (
                "noauth",
                "Everybody is let in with the roles of noauth_roles, in the project that stands in the path. For "
                "development and for hosts where every local user may do everything.",
            ),
        ],
        help="How callers prove who they are.",
    ),
    cfg.StrOpt(
        "http_basic_auth_user_file",
        default="/etc/trove/users.yaml",
        help="YAML file with the users of auth_strategy http_basic: a list of mappings with name, password_hash "
        "(bcrypt), project_id and roles. Its mode must not let group or others read it. Changes take effect at once.",
    ),
    cfg.IntOpt(
        "http_basic_max_failures",
        default=10,
        min=0,
        help="Wrong passwords of one user from one address within http_basic_failure_window that auth_strategy "
        "http_basic answers with 401; what follows is answered with 429 and not looked at until there is room for "
        "another one. The same user from another address is not affected. Each API process counts for itself. 0 means "
        "no limit.",
    ),
    cfg.IntOpt(
        "http_basic_max_failures_per_address",
        default=100,
        min=0,
        help="Likewise, the wrong passwords of all users together from one address. Behind a proxy all clients have "
        "one address unless [oslo_middleware] enable_proxy_headers_parsing is set; with that, the proxy must set "
        "X-Forwarded-For. 0 means no limit.",
    ),
    cfg.IntOpt(
        "http_basic_failure_window",
        default=300,
        min=1,
        help="Seconds in which a wrong password is forgotten as far as http_basic_max_failures and "
        "http_basic_max_failures_per_address are concerned: with 10 in 300 seconds there is room for another one every "
        "30 seconds.",
    ),
    cfg.ListOpt("noauth_roles", default=["member", "reader"], help="Roles of every caller under auth_strategy noauth."),
    cfg.BoolOpt(
        "noauth_admin", default=False, help="Whether every caller under auth_strategy noauth is an administrator too."
    ),
]

PAGE_OPTS = [
    cfg.IntOpt(
        "instances_page_size",
        default=20,
        min=1,
        max=1000,
        help="Instances per page, also the most a client can ask for. "
        "Many clients look for a name on the first page only, so a larger size hides less from them.",
    ),
    cfg.IntOpt(
        "databases_page_size",
        default=20,
        min=1,
        max=1000,
        help="Databases per page, also the most a client can ask for.",
    ),
    cfg.IntOpt(
        "users_page_size", default=20, min=1, max=1000, help="Users per page, also the most a client can ask for."
    ),
    cfg.IntOpt(
        "configurations_page_size",
        default=20,
        min=1,
        max=1000,
        help="Configuration groups per page, also the most a client can ask for; the same for the instances and the "
        "history of one group.",
    ),
    cfg.IntOpt(
        "operations_page_size",
        default=20,
        min=1,
        max=1000,
        help="Operations per page, also the most a client can ask for.",
    ),
]

RATE_HELP = "requests per minute and project that one API process accepts; more are refused with 413. 0 means no limit."
RATE_OPTS = [
    cfg.IntOpt("http_get_rate", default=0, min=0, help=f"GET {RATE_HELP}"),
    cfg.IntOpt("http_post_rate", default=0, min=0, help=f"POST {RATE_HELP}"),
    cfg.IntOpt("http_put_rate", default=0, min=0, help=f"PUT and PATCH {RATE_HELP}"),
    cfg.IntOpt("http_delete_rate", default=0, min=0, help=f"DELETE {RATE_HELP}"),
    cfg.IntOpt("http_mgmt_post_rate", default=0, min=0, help=f"Management POST {RATE_HELP}"),
]

OPTS = LISTEN_OPTS + AUTH_OPTS + PAGE_OPTS + RATE_OPTS


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]
