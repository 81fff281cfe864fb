"""Everything that can go wrong in the lake, one class per decision the caller can make.

LakeError
├── ContractError       rows break a table's contract: fix the rows
├── ConflictError       a fact already written would change: keep the first, or restate it properly
├── BusyError           another process is writing: wait, or stop it
├── DamageError         files on disk are not what was recorded: restore or repair
├── StorageError        the disk refuses: free some space, or see to its permissions and its health
├── NoSuchError         what was named is not in the lake: name another
└── NotALakeError       the folder is not a lake this program can use: initialise or upgrade
"""


class LakeError(Exception):
    """Base of all lake errors; its text is a full sentence for the operator."""


class ContractError(LakeError):
    """Rows do not meet a table's contract."""


class ConflictError(LakeError):
    """A row that was written once would be given other values."""


class OvertakenError(LakeError):
    """Another process wrote what was read before it could be written again; nothing was changed."""


class BusyError(LakeError):
    """Another process holds the writer lease."""


class DamageError(LakeError):
    """Files on disk differ from what was recorded about them."""


class StorageError(LakeError):
    """The disk is full, read-only or failing; what was published before stands."""


class NoSuchError(LakeError):
    """There is no row, run or request of that name."""


class NotALakeError(LakeError):
    """The folder holds no lake, or one that this program cannot use."""
