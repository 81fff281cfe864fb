"""How tables have changed since the first program: one module per format, each a few declared steps.

A new table needs no step, nor does a rule that became wider. A column is never dropped: it turns nullable and empty.
"""

from lake.migrations import format_2, format_3, format_4, format_5, format_6
from lake.migrations.steps import AddColumn as AddColumn
from lake.migrations.steps import Formats as Formats
from lake.migrations.steps import RenameColumn as RenameColumn
from lake.migrations.steps import Step as Step

FORMATS: Formats = ((), format_2.STEPS, format_3.STEPS, format_4.STEPS, format_5.STEPS, format_6.STEPS)
"""What each format changed; the first stands for format 1. Steps are never edited once released."""
FORMAT = len(FORMATS)
"""The format of the lakes that this program makes and uses."""
