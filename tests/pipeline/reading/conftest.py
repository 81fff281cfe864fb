"""The lakes of the operator's side, which these tests read as well."""

from tests.nextgen_tui.conftest import lake as lake
from tests.nextgen_tui.conftest import template as template
from tests.nextgen_tui.console.conftest import desk_path as desk_path
from tests.nextgen_tui.console.conftest import own_desk as own_desk
