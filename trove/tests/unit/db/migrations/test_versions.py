# SPDX-License-Identifier: Apache-2.0
"""Every revision keeps the promise of its branch.

``expand`` runs while processes of the previous release work on the same tables: it may only add what they do not
notice. ``contract`` only removes or tightens. A change that needs both is two revisions in two releases.
"""

import ast
import importlib
import pathlib
import pkgutil

from alembic.operations import Operations

from trove.db.migrations.versions import contract, expand
from trove.tests import base

#: create_index may not be unique and add_column may not be mandatory in expand; see below.
ALLOWED = {
    "expand": {"create_table", "create_index", "add_column"},
    "contract": {"drop_table", "drop_index", "drop_column", "drop_constraint", "alter_column", "batch_alter_table"},
}
_OPERATIONS = {name for name in dir(Operations) if not name.startswith("_")}
_PACKAGES = {"expand": expand, "contract": contract}


def refusals(branch: str, source: str) -> list[str]:
    """Return one line for each operation in ``source`` that does not belong into ``branch``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or node.func.attr not in _OPERATIONS
        ):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "sa":
            continue
        name = node.func.attr
        if name not in ALLOWED[branch]:
            found.append(f"line {node.lineno}: {name} is not for {branch}")
        elif name == "create_index" and any(k.arg == "unique" and not _is(k.value, False) for k in node.keywords):
            found.append(f"line {node.lineno}: a unique index refuses what the previous release may still write")
        elif name == "add_column" and not _tolerant(node):
            found.append(
                f"line {node.lineno}: add_column needs nullable=True or a server_default in a literal sa.Column"
            )
    return found


def _tolerant(call: ast.Call) -> bool:
    for argument in call.args:
        if isinstance(argument, ast.Call) and getattr(argument.func, "attr", "") == "Column":
            words = {k.arg: k.value for k in argument.keywords}
            return "server_default" in words or _is(words.get("nullable"), True)
    return False


def _is(node: ast.AST | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


class Revisions(base.UnitTestCase):
    def _modules(self, branch: str) -> list[str]:
        return sorted(m.name for m in pkgutil.iter_modules(_PACKAGES[branch].__path__))

    def test_every_operation_belongs_to_its_branch(self) -> None:
        for branch, package in _PACKAGES.items():
            for name in self._modules(branch):
                source = (pathlib.Path(package.__path__[0]) / f"{name}.py").read_text()
                self.assertEqual([], refusals(branch, source), name)

    def test_revisions_are_numbered_one_after_the_other(self) -> None:
        for branch, package in _PACKAGES.items():
            before = None
            for number, name in enumerate(self._modules(branch), 1):
                module = importlib.import_module(f"{package.__name__}.{name}")
                self.assertEqual(
                    (f"{branch}_{number:04d}", before, None),
                    (module.revision, module.down_revision, module.depends_on),
                    name,
                )
                self.assertTrue(name.startswith(f"{module.revision}_"), name)
                self.assertEqual((branch,) if before is None else None, module.branch_labels, name)
                self.assertFalse(hasattr(module, "downgrade"), f"{name}: a schema never goes back")
                before = module.revision


class Linter(base.UnitTestCase):
    def test_expand_refuses_what_the_previous_release_would_notice(self) -> None:
        for line in (
            "op.drop_table('t')", "op.drop_column('t', 'c')", "op.alter_column('t', 'c', nullable=False)",
            "op.create_unique_constraint('u', 't', ['c'])", "op.create_index('i', 't', ['c'], unique=True)",
            "op.add_column('t', sa.Column('c', sa.Integer(), nullable=False))",
            "op.add_column('t', sa.Column('c', sa.Integer()))",
            "op.add_column('t', column)", "op.rename_table('a', 'b')", "op.execute('DELETE FROM t')",
            "op.create_foreign_key('f', 'a', 'b', ['c'], ['d'])",
            "with op.batch_alter_table('t') as t: t.drop_column('c')",
        ):  # fmt: skip
            self.assertNotEqual([], refusals("expand", line), line)

    def test_expand_accepts_additions(self) -> None:
        for line in (
            "op.create_table('t', sa.Column('c', sa.Integer(), nullable=False))", "op.create_index('i', 't', ['c'])",
            "op.add_column('t', sa.Column('c', sa.Integer(), nullable=True))",
            "op.add_column('t', sa.Column('c', sa.Integer(), nullable=False, server_default='0'))",
        ):  # fmt: skip
            self.assertEqual([], refusals("expand", line), line)

    def test_contract_refuses_additions_and_data(self) -> None:
        for line in (
            "op.create_table('t')",
            "op.add_column('t', sa.Column('c', sa.Integer(), nullable=True))",
            "with op.batch_alter_table('t') as t: t.add_column(sa.Column('c', sa.Integer()))",
            "op.execute('x')",
        ):
            self.assertNotEqual([], refusals("contract", line), line)

    def test_contract_accepts_removals(self) -> None:
        for line in ("op.drop_table('t')", "with op.batch_alter_table('t') as t: t.alter_column('c', nullable=False)"):
            self.assertEqual([], refusals("contract", line), line)
