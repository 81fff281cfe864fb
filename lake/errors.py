"""Everything that can go wrong in the lake, one class per decision the caller can make.

LakeError
├── ContractError       rows break a table's contract: fix the rows
├── ConflictError       a row already written would change: keep the first, or restate it properly
├── OvertakenError      another process wrote in between: read again
├── BusyError           another process holds the lock: wait, or stop it
├── DamageError         files on disk differ from what was recorded: restore or repair
├── StorageError        the disk refuses: free some space, or check its permissions and its health
├── SealedError         a test window was asked for by what chooses models: leave it alone, or give the window up
├── NoSuchError         the lake does not have what was named: name another
├── BranchError         a branch cannot be made or taken away as asked: name it otherwise
└── NotALakeError       the folder is not a lake this program can use: initialise or upgrade
"""


class LakeError(Exception):
    """Base of all lake errors; its text is a full sentence for the operator."""


class ContractError(LakeError):
    """Rows do not meet a table's contract."""


class ConflictError(LakeError):
    """A row that was already written would change."""


class OvertakenError(LakeError):
    """Another process wrote to the table after it was read; nothing was changed."""


class BusyError(LakeError):
    """Another process holds the lock."""


class DamageError(LakeError):
    """Files on disk differ from what was recorded about them."""


class StorageError(LakeError):
    """The disk is full, read-only or failing; what was published before is unaffected."""


class SealedError(LakeError):
    """Facts of a test window were asked for by what must not see them."""


class NoSuchError(LakeError):
    """There is no row, run, request or imported system of that name."""


class BranchError(LakeError):
    """A branch cannot be made, or is not what was asked for; nothing was changed."""


class NotALakeError(LakeError):
    """The folder is not a lake, or not one that this program can use."""
