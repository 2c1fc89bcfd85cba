"""Names of everything that can be chosen, as ``"module:attribute"``, imported only when asked for.

Outside packages add entries through the entry-point groups ``declaim.methods``, ``declaim.renderers``,
``declaim.encoders`` and ``declaim.recipes``.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from declaim.errors import ConfigError

METHODS = {
    "diffposetalk": "declaim.methods.diffposetalk:DiffPoseTalk",
    "fd2talk": "declaim.methods.fd2talk:FD2Talk",
    "a2v-prior": "declaim.methods.a2v_prior:AudioToVisualPrior",
    "sdm": "declaim.methods.sdm:SDM",
}

RENDERERS = {
    "keypoints": "declaim.render.keypoints:KeypointRenderer",
    "latent": "declaim.render.latent:LatentRenderer",
    "mesh": "declaim.render.mesh:MeshRenderer",
    "mouth": "declaim.render.mouth:MouthRenderer",
}

ENCODERS = {
    "whisper-tiny.en": "declaim.audio.encoders:WhisperTinyEncoder",
    "whisper-base": "declaim.audio.encoders:WhisperBaseEncoder",
    "wav2vec2-base": "declaim.audio.wav2vec2:Wav2Vec2Encoder",
    "mel": "declaim.audio.mel_features:MelFeatures",
}

RECIPES = {
    "diffposetalk": "declaim.recipes.diffposetalk:RECIPE",
    "fd2talk": "declaim.recipes.fd2talk:RECIPE",
    "a2v-prior": "declaim.recipes.a2v_prior:RECIPE",
    "sdm": "declaim.recipes.sdm:RECIPE",
    "heads": "declaim.recipes.heads:RECIPE",
    "face-model": "declaim.recipes.face_model:RECIPE",
    "sync-expert": "declaim.recipes.sync_expert:RECIPE",
    "visemes": "declaim.recipes.visemes:RECIPE",
    "mouth-renderer": "declaim.recipes.mouth_renderer:RECIPE",
    "latent-autoencoder": "declaim.recipes.latent_autoencoder:RECIPE",
    "latent-renderer": "declaim.recipes.latent_renderer:RECIPE",
}


def registered(table: dict[str, str], *, kind: str) -> dict[str, str]:
    """Everything that can be chosen, outside packages' entries included: ``"module:attribute"`` by name."""
    return {**table, **{e.name: e.value for e in entry_points(group=f"declaim.{kind}s")}}


def resolve(table: dict[str, str], name: str, *, kind: str) -> Any:
    """The class registered as ``name``.

    Args:
        table: one of the tables above.
        name: the registered name.
        kind: ``"method"``, ``"renderer"``, ``"encoder"`` or ``"recipe"``; names the entry-point group and the error.

    Raises:
        ConfigError: nothing is registered under that name.
    """
    known = registered(table, kind=kind)
    if name not in known:
        raise ConfigError(f"there is no {kind} {name!r}; there are: {', '.join(sorted(known))}")
    module, _, attribute = known[name].partition(":")
    return getattr(import_module(module), attribute)
