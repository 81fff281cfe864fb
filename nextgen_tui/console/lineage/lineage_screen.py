"""A row's lineage as a tree that unfolds: columns, what it rests on, what was made from it; read as it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static, Tree

from lake.contract import RUN_ID
from lake.tables import TABLES
from nextgen_tui.console.lineage.lineage_view import find_linked
from nextgen_tui.console.page import Link
from nextgen_tui.console.screen_frame import KeyBar, top_bar
from nextgen_tui.console.sheet.export import ExportError, write_new
from nextgen_tui.console.sheet.sheet import Cell, matches
from nextgen_tui.console.styles import content
from nextgen_tui.console.typed_line import TypingScreen
from nextgen_tui.text.formats import counted
from nextgen_tui.text.lineage_text import AHEAD, BEHIND, as_mermaid, as_text, describe_column, name_rows
from nextgen_tui.text.safe_text import safe_text
from pipeline.reading.provenance.lineage_tree import LineageNode, find_ahead, find_behind, list_columns

if TYPE_CHECKING:
    from textual.widgets.tree import TreeNode

    from nextgen_tui.console.lake_view import LakeView

COLUMNS, ROWS = "columns", "rows"
MAX_ROWS = 200
"""Rows of a kind that are listed one by one, the last ones."""


@dataclass(frozen=True)
class TreePart:
    """What a line of the tree stands for."""

    node: LineageNode
    part: str = ""
    """columns, rests on or led to of the node; the node itself where empty."""


def find_root(view: LakeView, link: Link) -> LineageNode | None:
    """The row that a link leads to, as the root of a tree; None if there is none.

    Raises:
        LakeError: if the lake cannot be read.
    """
    table = TABLES[link.table]
    rows = find_linked(view, table, link.key)
    return None if rows.is_empty() else LineageNode(table, rows.head(1))


class LineageScreen(TypingScreen):
    """The tree of a row; backspace goes back."""

    BINDINGS = [
        Binding("backspace", "back", "Back", id="back"),
        Binding("l", "open", "Open the row", id="open-row"),
        Binding("e", "export", "Export", id="export"),
        Binding("y", "copy", "Copy", id="copy"),
    ]

    def __init__(self, root: LineageNode) -> None:
        super().__init__()
        self.root = root
        self._sought = ""

    def compose(self) -> ComposeResult:
        """The bar, what it is about, the tree, the line, the keys."""
        top, past = top_bar(self.console, self.app.size.width - 2)
        yield Static(content([top]), id="top", markup=False, classes="past" if past else "")
        words = f"{self.root.table.name}  {name_rows(self.root)}"
        yield Static(content([(Cell(safe_text(words, 160), "accent"),)]), id="trail", markup=False)
        yield Tree[TreePart](_label(self.root), TreePart(self.root), id="tree")
        yield self.typed_line()
        yield KeyBar()

    @property
    def branches(self) -> Tree[TreePart]:
        """The tree."""
        return self.query_one("#tree", Tree)

    def begin(self) -> None:
        """The root is open, and so is what it rests on."""
        self._show_parts(self.branches.root, self.root)
        self.branches.root.expand()
        self.query_one(KeyBar).show()
        self.take_keys()

    # ---- unfolded

    def on_tree_node_expanded(self, message: Tree.NodeExpanded[TreePart]) -> None:
        """Read what is below a line when it is first opened."""
        line = message.node
        if line.data is None or line.children:
            return
        about = line.data
        if about.part == COLUMNS:
            for fact in list_columns(about.node.table, about.node.row):
                line.add_leaf(Text(describe_column(fact)))
        elif about.part in (BEHIND, AHEAD):
            line.add_leaf(Text("reading ...", "dim"))
            find = find_behind if about.part == BEHIND else find_ahead
            self.console.read_beside(lambda view: find(view.read, about.node), lambda found: self._fill(line, found))
        elif about.node.rows.height > 1:
            self._show_rows(line, about.node)
        else:
            self._show_parts(line, about.node)

    def _fill(self, line: TreeNode[TreePart], found: tuple[LineageNode, ...] | None) -> None:
        if not self.is_attached:
            return
        line.remove_children()
        for node in found or ():
            line.add(_label(node), TreePart(node))
        if not found:
            ahead = line.data is not None and line.data.part == AHEAD
            line.add_leaf(Text("nothing" if ahead else "nothing: it came from outside", "dim"))

    def _show_parts(self, line: TreeNode[TreePart], node: LineageNode) -> None:
        """A row's columns and its two ways; the one that leads on from where it was come from is opened."""
        count = sum(1 for _ in list_columns(node.table, node.row))
        line.add(Text(f"{COLUMNS} ({count})", "dim"), TreePart(node, COLUMNS))
        for part in (BEHIND, AHEAD):
            below = line.add(Text(part, "dim"), TreePart(node, part))
            if part == _way(line):
                below.expand()

    def _show_rows(self, line: TreeNode[TreePart], node: LineageNode) -> None:
        """Rows that are alike, one by one, the last first."""
        first = max(node.rows.height - MAX_ROWS, 0)
        for number in range(node.rows.height - 1, first - 1, -1):
            one = replace(node, rows=node.rows[number : number + 1], by={})
            line.add(_label(one), TreePart(one))
        if first:
            line.add_leaf(Text(f"and {first:,} more rows", "dim"))

    # ---- what is done with it

    def action_back(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    def action_open(self) -> None:
        """Open the row of the line."""
        about = self.branches.cursor_node.data if self.branches.cursor_node else None
        if about is not None:
            key = {name: about.node.row[name] for name in about.node.table.key}
            self.console.follow(Link(name_rows(about.node), about.node.table.name, key))

    def action_copy(self) -> None:
        """Copy what is unfolded as text."""
        self.app.copy_to_clipboard(as_text(self.unfolded()))
        self.notify("Copied what is unfolded.", timeout=2)

    def action_export(self) -> None:
        """Ask for the file to write to."""
        self.action_line("export", f"lineage-{self.root.table.name}.md")

    def write(self, name: str) -> None:
        """Write what is unfolded: .md and .mmd as a diagram, .txt as text."""
        path = Path(name).expanduser()
        root = self.unfolded()
        forms = {".txt": as_text(root), ".mmd": as_mermaid(root), ".md": f"```mermaid\n{as_mermaid(root)}```\n"}
        try:
            if path.suffix not in forms:
                raise ExportError(f"{path.name} has to end in {', '.join(forms)}")
            write_new(path, forms[path.suffix])
        except ExportError as error:
            self.notify(safe_text(error), severity="error")
        else:
            self.notify(f"Written to {safe_text(path.absolute())}")

    def unfolded(self) -> LineageNode:
        """The tree as far as it was opened."""
        return _gather(self.branches.root, self.root)

    # ---- the line at the bottom

    @property
    def filter_words(self) -> str:
        """What is looked for."""
        return self._sought

    def filtered(self, words: str) -> None:
        """Go to the first open line that shows the words."""
        self._sought = words
        found = next((line for line in _lines(self.branches.root) if words and matches(str(line.label), words)), None)
        if found is not None:
            self.branches.move_cursor(found)

    def take_keys(self) -> None:
        """The tree has the keys."""
        self.set_focus(self.branches)

    def run_back(self) -> None:
        """Forget what was looked for, or go back."""
        if self._sought:
            self._sought = ""
        else:
            self.action_back()

    def text(self) -> str:
        """The open lines as text, for tests."""
        return "\n".join(str(line.label) for line in _lines(self.branches.root))


def _way(line: TreeNode[TreePart]) -> str:
    """Which way the line was come to."""
    above = line.parent
    while above is not None and above.data is not None and not above.data.part:
        above = above.parent
    return above.data.part if above is not None and above.data is not None else BEHIND


def _label(node: LineageNode) -> Text:
    name, many = node.table.name, node.rows.height
    about = f"{counted(many, 'row')}: {name_rows(node)}" if many > 1 else name_rows(node)
    run = safe_text(node.row[RUN_ID], 60) if many == 1 else ""
    by = [there if there == here else f"{there} = {here}" for there, here in node.by.items()]
    return Text.assemble(
        (name, "bold"), (f"  by {', '.join(by)}" if by else "", "dim"), f"  {about}", (f"  {run}", "dim")
    )


def _lines(line: TreeNode[TreePart]) -> Iterator[TreeNode[TreePart]]:
    yield line
    if line.is_expanded:
        for below in line.children:
            yield from _lines(below)


def _gather(line: TreeNode[TreePart], node: LineageNode) -> LineageNode:
    """A node with what was unfolded below its line; of rows that are alike, the last one's."""
    ways: dict[str, tuple[LineageNode, ...]] = {}
    for below in line.children:
        if below.data is None or not below.is_expanded:
            continue
        if not below.data.part:  # rows that are alike, one by one
            return replace(_gather(below, node), rows=node.rows)
        ways[below.data.part] = tuple(_gather(one, one.data.node) for one in below.children if one.data is not None)
    return replace(node, behind=ways.get(BEHIND, ()), ahead=ways.get(AHEAD, ()))
