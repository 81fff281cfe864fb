"""List the benchmarks there are; `python -m benchmarks.<name>` runs one."""

import ast
import sys
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sys.stdout.write(f"{path.stem:14} {docstring.splitlines()[0] if docstring else ''}\n")
