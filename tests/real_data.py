"""Where the folder of real market data lies that some tests read; they are skipped where there is none."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
REAL_DATA = Path(os.environ.get("NEXTGEN_DATA") or ROOT.parent / "shared" / "data")
