import pytest

from declaim.errors import ConfigError
from declaim.registry import ENCODERS, METHODS, RENDERERS, resolve


@pytest.mark.parametrize(("table", "kind"), [(METHODS, "method"), (RENDERERS, "renderer"), (ENCODERS, "encoder")])
def test_every_entry_can_be_imported(table: dict[str, str], kind: str) -> None:
    for name in table:
        assert isinstance(resolve(table, name, kind=kind), type)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=rf"there is no method 'wav2lip'; there are: {', '.join(sorted(METHODS))}$"):
        resolve(METHODS, "wav2lip", kind="method")
