# SPDX-License-Identifier: Apache-2.0
"""``trove-manage workflow list|show|retry|abort|purge``: what an operator can see of long work, and do about it.

Every command is a function of ``(conf, db, args)`` that prints to standard output and returns an exit code. With
``--json`` the output is for programs.
"""

import argparse
import sys
from collections.abc import Callable

from oslo_config import cfg

from trove.cmd import arguments, manage_purge, printing
from trove.common import printable
from trove.db.api import Database
from trove.objects.scope import Scope
from trove.operations import ending
from trove.operations.caller import Caller
from trove.operations.work import Work
from trove.taskmanager import retention
from trove.taskmanager.abandon import abandon
from trove.workflow.listing import OperationNotFound
from trove.workflow.model import FINAL, Failed, State
from trove.workflow.store import Store

_COLUMNS = ("id", "kind", "resource_id", "state", "created_at", "wake_at", "owner", "error_symbol", "parent_id")
_STEP_COLUMNS = ("name", "state", "attempt", "progress", "started_at", "finished_at", "signal", "deadline", "error")
_CHILD_COLUMNS = ("id", "kind", "resource_id", "state", "wake_at", "cancel_requested_at", "error_symbol")
_OPERATOR = Caller(program="manage", why="trove-manage workflow abort", scope=Scope.ALL)
_ABORTED = Failed(
    "workflow.aborted", "The operation was ended by the operator.", "ended by trove-manage workflow abort --force"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``workflow`` and its sub-commands; each sets ``func`` to its function."""
    workflow = subparsers.add_parser("workflow", help="see and repair long-running work")
    commands = workflow.add_subparsers(dest="workflow_command", required=True, metavar="COMMAND")

    def add(
        name: str, func: Callable[[cfg.ConfigOpts, Database, argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(func=func)
        if name in ("list", "show"):
            parser.add_argument("--json", action="store_true", help="print JSON")
        if name != "list":
            parser.add_argument("id", help="id of the workflow")
        return parser

    listing = add("list", list_workflows, "list workflows, newest first; by default those that have not ended")
    states = [state.value for state in State]
    listing.add_argument("--state", action="append", choices=states, help="only of this state; may be repeated")
    listing.add_argument("--all", action="store_true", help="those that have ended as well")
    listing.add_argument("--resource", metavar="ID", help="only of this instance")
    listing.add_argument("--limit", type=arguments.rows, default=100, help="at most so many (default: 100)")
    add("show", show_workflow, "show a workflow with its steps, leases and errors")
    add("retry", retry_workflow, "let a PARKED workflow go on where it stopped, once its cause is removed")
    abort = add("abort", abort_workflow, "cancel a workflow: it is undone, unless it is past its pivot")
    abort.add_argument(
        "--force",
        action="store_true",
        help="end it at once as it stands, PARKED or running: it counts as failed, and nothing is undone outside; what "
        "it made there stays until the instance is deleted",
    )
    manage_purge.add_purge(commands, retention.WORKFLOWS)


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the sub-command that was parsed; return the exit code."""
    return int(args.func(conf, db, args))


def list_workflows(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Print one line per workflow."""
    states = [State(name) for name in args.state or ()]
    if not states and not args.all:
        states = [state for state in State if state not in FINAL]
    with db.reader() as session:
        rows = Store(db).list_workflows(session, states=states, resource_id=args.resource, limit=args.limit)
    rows = [{name: row[name] for name in _COLUMNS} for row in rows]
    print(printing.as_json(rows) if args.json else printing.table(_COLUMNS, rows))
    return 0


def show_workflow(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Print everything that is known of one workflow."""
    try:
        with db.reader() as session:
            row = Store(db).describe(session, args.id)
    except OperationNotFound:
        return _missing(args.id)
    if args.json:
        print(printing.as_json(row))
        return 0
    steps, children = row.pop("steps"), row.pop("children")
    for name, value in row.items():
        # A detail has lines of its own, such as the end of an engine's log.
        first, *more = str(printing.text(value)).split("\n")
        print("\n".join([f"{name:22}{printable.one_line(first)}", *(f"{'':22}{printable.one_line(m)}" for m in more)]))
    print()
    print(printing.table(_STEP_COLUMNS, steps))
    if children:
        print(f"\n{printing.table(_CHILD_COLUMNS, children)}")
    return 0


def retry_workflow(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Make a PARKED workflow due; a taskmanager finds it at its next poll."""
    with db.writer() as session:
        done = Store(db).retry(session, args.id)
    if not done:
        print(f"Workflow {args.id} is not PARKED; only a PARKED workflow can be retried.", file=sys.stderr)
        return 1
    print(f"Workflow {args.id} goes on.")
    return 0


def abort_workflow(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Cancel, or with ``--force`` end at once."""
    store = Store(db)
    try:
        with db.writer() as session:
            work = Work(_OPERATOR, conf, store, session)
            state = State(store.describe(session, args.id)["state"])
            if args.force:
                done = abandon(work, args.id, _ABORTED)
            else:
                done = state is not State.PARKED and ending.cancel(work, args.id)
    except OperationNotFound:
        return _missing(args.id)
    if done:
        print(f"Workflow {args.id} {'has ended' if args.force else 'was asked to unwind'}.")
        return 0
    if state is State.PARKED:
        reason = "is PARKED: retry it, or end it as it stands with --force"
    else:
        reason = "has ended already" if state in FINAL else "was asked before"
    print(f"Workflow {args.id} {reason}.", file=sys.stderr)
    return 1


def _missing(workflow_id: str) -> int:
    print(f"There is no workflow {workflow_id}.", file=sys.stderr)
    return 1
