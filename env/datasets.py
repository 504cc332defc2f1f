"""Recorded and labelled frames in files: the facade with the names that users import.

`Dataset` has the layout of the files published with DROO.
"""

from env.common.files import check_output, read_variables
from env.common.recordings import read_gains, read_recording
from env.wpmec.dataset import Dataset, read_dataset, write_dataset

__all__ = [
    "Dataset",
    "check_output",
    "read_dataset",
    "read_gains",
    "read_recording",
    "read_variables",
    "write_dataset",
]
