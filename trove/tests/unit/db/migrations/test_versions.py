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

#: create_index may not be unique, add_column may not be mandatory, and execute may only fill what is new in expand; see
#: below.
ALLOWED = {
    "expand": {"create_table", "create_index", "add_column", "get_bind", "execute"},
    "contract": {"drop_table", "drop_index", "drop_column", "drop_constraint", "alter_column", "batch_alter_table"},
}
_OPERATIONS = {name for name in dir(Operations) if not name.startswith("_")}
_PACKAGES = {"expand": expand, "contract": contract}


def refusals(branch: str, source: str) -> list[str]:
    """Return one line for each operation in ``source`` that does not belong into ``branch``."""
    found = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
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
        elif name == "execute" and not _fills(tree, node):
            found.append(f"line {node.lineno}: only what this revision adds may be filled, with sa.insert or sa.update")
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


def _fills(tree: ast.Module, call: ast.Call) -> bool:
    """Tell whether a statement writes nothing but tables and columns that the same revision adds: the previous release
    does not know them."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    tables = {_text(made.args[0]) for made in calls if _called(made) == "create_table"}
    columns = {(_text(made.args[0]), _text(made.args[1].args[0])) for made in calls
               if _called(made) == "add_column" and isinstance(made.args[1], ast.Call)}  # fmt: skip
    # known = sa.table("name", ...)
    known = {
        node.targets[0].id: _text(node.value.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Call) and _called(node.value) == "table"
    }
    written: list[str | None] = []
    statement = call.args[0] if call.args else None
    while isinstance(statement, ast.Call) and isinstance(statement.func, ast.Attribute):
        if _called(statement) in ("insert", "update"):
            name = known.get(getattr(statement.args[0], "id", ""))
            if _called(statement) == "insert":
                return name in tables
            return bool(written) and {(name, column) for column in written} <= columns
        if _called(statement) == "values":
            written += [keyword.arg for keyword in statement.keywords] + [None] * len(statement.args)
        statement = statement.func.value
    return False


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "")


def _text(node: ast.AST) -> object:
    return node.value if isinstance(node, ast.Constant) else None


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

    def test_expand_fills_what_it_adds_and_nothing_else(self) -> None:
        added = "op.create_table('s'); op.add_column('t', sa.Column('n', sa.Integer(), nullable=True))\n"
        tables = "s = sa.table('s'); t = sa.table('t')\n"
        for line in (
            "op.get_bind().execute(sa.insert(s).from_select(['c'], sa.select(t.c.c)))",
            "connection.execute(sa.update(t).where(t.c.n.is_(None)).values(n=t.c.c))",
        ):
            self.assertEqual([], refusals("expand", added + tables + line), line)
            self.assertNotEqual([], refusals("expand", tables + line), line)
        for line in (
            "op.execute(sa.insert(t).values(n=1))", "op.execute(sa.update(t).values(c=1))",
            "op.execute(sa.update(t).values(n=1, c=1))", "op.execute(sa.update(t).values({'c': 1}))",
            "op.execute(sa.update(t))", "op.execute(sa.delete(s))", "op.execute(sa.update(u).values(n=1))",
            "op.execute('UPDATE t SET n = 1')", "op.execute(statement)",
        ):  # fmt: skip
            self.assertNotEqual([], refusals("expand", added + tables + line), line)

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
