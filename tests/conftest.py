import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


def published(name: str) -> Path:
    """The path of a published or golden file; the test skips where the file is not at hand."""
    path = Path(os.environ.get("DROO_SHARED", ROOT.parent / "shared")) / name
    if not path.is_file():
        pytest.skip(f"needs {path} (set DROO_SHARED to the folder that holds {name})")
    return path
