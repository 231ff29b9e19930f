# SPDX-License-Identifier: Apache-2.0
"""Who asks for an operation."""

import dataclasses

from trove.objects.scope import Scope
from trove.operations.caller import Caller
from trove.tests import base


class CallerTest(base.UnitTestCase):
    def test_the_service_itself_has_no_user_and_no_request(self) -> None:
        caller = Caller("taskmanager", "instance.configure", Scope.ALL)
        self.assertEqual(
            (None, None, None, None),
            (caller.user_id, caller.project_id, caller.request_id, caller.client_address),
        )

    def test_nobody_changes_who_asks(self) -> None:
        caller = Caller("api", "a handler", Scope.project("p"))
        self.assertRaises(dataclasses.FrozenInstanceError, setattr, caller, "scope", Scope.ALL)
