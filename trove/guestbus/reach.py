# SPDX-License-Identifier: Apache-2.0
"""Does a gateway answer where guests are told to dial? Asked from this host, whose network may differ from theirs."""

import http.client
import os
import ssl

from trove.guestbus.endpoint import Endpoint

#: Seconds that each step of the network may take.
TIMEOUT = 3.0
#: See :mod:`trove.common.health`.
_PATH = "/healthcheck/live"


def problem(url: str, ca_file: str | None, timeout: float = TIMEOUT) -> str | None:
    """Return why guests would not find a gateway at ``url``, as the end of a sentence; ``None``: one answers.

    :param ca_file: PEM file of the authority that guests trust.
    """
    try:
        ca = None
        if ca_file:
            with open(ca_file, encoding="ascii") as stream:
                ca = stream.read()
        endpoint = Endpoint(url, ca)
        connection = endpoint.connection(timeout)
        try:
            connection.request("GET", f"{endpoint.base}{_PATH}")
            status = connection.getresponse().status
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as err:
        return f"the certificate is not trusted ({err.verify_message})"
    except ssl.SSLError as err:
        return f"what answers does not speak TLS as expected ({err.reason})"
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno and err.errno > 0 else str(err) or type(err).__name__
        return f"nobody answers ({reason})"
    except (http.client.HTTPException, ValueError) as err:
        return f"no gateway answers ({err or type(err).__name__})"
    return None if status == http.client.OK else f"what answers is no gateway (status {status})"
