#!/usr/bin/env python3
"""Draw the package's imports as numbers: rooms, circles, arrows that run upwards, late imports.

Usage: import_graph.py [FOLDER_OF_PACKAGE]; ends with 1 where files form a circle or an import runs
upwards.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

PACKAGE = "synthtumour_bids"
# From the ground to the roof; files that are no folder are rooms of their own.
FLOORS = (
    ("__init__", "data"),
    ("errors", "texts"),
    ("files", "profiles", "safe_files", "tensors", "versions", "volumes"),
    ("settings", "synthesis", "measures"),
    ("bids", "simulation"),
    ("execution", "layout", "ledger"),
    ("estimates", "preprocessing", "segmentation", "reports"),
    ("profile_choice", "spaces"),
    ("job",),
    ("methods",),
    ("steps",),
    ("app", "cli"),
    ("__main__",),
    ("starter", "demo", "dicom"),
)
HEAVY = ("ants", "torch", "nnunetv2")


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package by its name without the package's."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): path for path in root.rglob("*.py")
    }


def imported(tree: ast.AST, module: str, known: set[str]) -> list[str]:
    """Modules of the package that one imports, be it inside a function."""
    checking = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        if id(node) in checking or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = module.split(".")[: -node.level]
                base = ".".join([PACKAGE, *parent, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name.removeprefix(f"{PACKAGE}.") in known else base for name in names]
        else:
            names = [alias.name for alias in node.names]
        own = {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(PACKAGE)}
        found += sorted((own & known) - {module})
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another, however far round (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(arrows[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            group = []
            while True:
                group.append(stack.pop())
                if group[-1] == node:
                    break
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(arrows):
        if node not in order:
            visit(node)
    return groups


def late_imports(tree: ast.AST) -> tuple[int, int]:
    """Import statements inside functions: all, and those of a heavy library by name."""
    late = [
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in {id(node): node for node in late}.values()
    ]
    return len(names), sum(name.split(".")[0] in HEAVY for name in names)


def main(root: Path) -> int:
    """Print the figures."""
    known = modules(root)
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    arrows: dict[str, set[str]] = {module: set() for module in known}
    upwards, between = [], set()
    late: dict[str, int] = defaultdict(int)
    heavy = 0
    for module, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        number, of_heavy = late_imports(tree)
        late[module.split(".")[0]] += number
        heavy += of_heavy
        for other in imported(tree, module, set(known)):
            arrows[module].add(other)
            here, there = module.split(".")[0], other.split(".")[0]
            if here != there:
                between.add((here, there))
                if floor.get(there, 0) >= floor.get(here, len(FLOORS)):
                    upwards.append(f"{module} -> {other}")
    found = circles(arrows)
    lines = {
        room: sum(
            len(path.read_text(encoding="utf-8").splitlines())
            for module, path in known.items()
            if module.split(".")[0] == room
        )
        for room in ("steps", "methods")
    }
    print(f"rooms                      {len({module.split('.')[0] for module in known})}")
    print(f"files                      {len(known)}")
    print(f"arrows between rooms       {len(between)}")
    print(f"circles of files           {len(found)}{''.join(f' ({len(g)} files)' for g in found)}")
    print(f"imports upwards            {len(upwards)}")
    print(
        f"imports inside functions   {sum(late.values())} ({heavy} of them of {', '.join(HEAVY)})"
    )
    print(f"  of these in steps        {late['steps']}")
    print(f"lines in steps, methods    {lines['steps']}, {lines['methods']}")
    for group in found:
        print("circle:", ", ".join(group))
    for arrow in upwards:
        print("upwards:", arrow)
    return int(bool(found or upwards))


if __name__ == "__main__":
    default = Path(__file__).parents[1] / PACKAGE
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else default))
