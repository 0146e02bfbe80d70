"""Makes the official Python client importable, as whoever copied the file would."""

import sys
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[3] / "examples" / "clients"
if str(CLIENTS / "python") not in sys.path:
    sys.path.insert(0, str(CLIENTS / "python"))
