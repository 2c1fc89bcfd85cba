"""Renderers by name."""

import pytest

from declaim.errors import CheckpointError, ConfigError
from declaim.render.base import make_renderer
from declaim.render.latent import LatentRenderer
from declaim.render.mesh import MeshRenderer
from declaim.render.mouth import MouthRenderer


def test_a_renderer_by_its_name():
    assert isinstance(make_renderer("mesh"), MeshRenderer)
    with pytest.raises(ConfigError, match="no renderer 'paint'"):
        make_renderer("paint")


def test_weights_for_a_renderer_that_has_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="mesh draws without weights"):
        make_renderer(f"mesh={tmp_path}")


@pytest.mark.parametrize("name", ["mouth", "latent"])
def test_a_folder_without_weights_is_refused(name, tmp_path):
    with pytest.raises(CheckpointError):
        make_renderer(f"{name}={tmp_path}")


def test_the_shipped_weights_are_meant_where_none_are_named():
    assert isinstance(make_renderer("mouth"), MouthRenderer)
    assert isinstance(make_renderer("latent"), LatentRenderer)
