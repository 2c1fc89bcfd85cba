"""DiffPoseTalk as a method: what it learns from, how a window is sampled, where styles come from."""

import copy
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from declaim.diffusion.guidance import incremental_weights, independent_weights
from declaim.diffusion.noise import frame_noise, row_generators
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.windows import Window
from declaim.errors import CheckpointError, ConfigError, DeclaimWarning
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk.config import DiffPoseTalkConfig, default
from declaim.methods.diffposetalk.network import Branch, Guided, StyleDenoiser, StyleEncoder
from declaim.methods.diffposetalk.objective import motion_losses, nt_xent, total
from declaim.motion.draws import draw
from declaim.motion.finish import check_scales
from declaim.motion.manner import manner_of
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.sampling import cooled, joined, sample_window
from declaim.motion.style import LEAST_FRAMES, Style
from declaim.motion.targets import motion_target
from declaim.pretrained import half
from declaim.timebase import FPS
from declaim.types import Motion

STYLES_FOLDER = "styles"
"""Folder of named styles in a folder of weights."""
MOST_GUIDANCE = 5.0
"""Scales beyond this are met with a warning, and estimates are held within `NARROW`."""
BOUND, NARROW = 10.0, 4.0
"""Standard deviations beyond which no estimate goes: the liveliest heads stay within the first. With absurd scales,
every number would lie on the bound: the second leaves a face."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Other motion of the people in a batch, from which their styles are taken.

    Attributes:
        motion: in its own units.
        mask: frames that were seen; none in a row whose style comes from the sequence's other window.
    """

    motion: Float[Tensor, "batch reference dim"]
    mask: Bool[Tensor, "batch reference"]


class DiffPoseTalk(MotionMethod[DiffPoseTalkConfig]):
    """One diffusion transformer over expression and head pose, guided by speech and style.

    Args:
        config: sizes and sampling; `default()` when left out.
        normalizer: units measured on the training footage.
    """

    name = "diffposetalk"
    config_type = DiffPoseTalkConfig

    def __init__(self, config: DiffPoseTalkConfig | None = None, normalizer: Normalizer | None = None) -> None:
        config = default() if config is None else config
        super().__init__(config, normalizer)
        self.denoiser = StyleDenoiser(FACE64.dim, config)
        if config.style.kind == "encoder":
            self.style_encoder = StyleEncoder(FACE64.dim, config.style)
        elif config.style.kind == "one-hot":
            self.style_table = nn.Embedding(config.style.speakers, config.style.dim)
        self.styles: dict[str, Style] = {}
        self.style: Style | None = None

    # --- training ----------------------------------------------------------------------------------------------------

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
        *,
        people: Int64[Tensor, " batch"] | None = None,
        reference: Reference | None = None,
        vertices: Float[Tensor, "expression rows"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch, each sequence being two windows that follow each other; see `MotionMethod.loss`.

        Args:
            speech: encoder features.
            motion: motion in its own units.
            mask: False in padding.
            pose_mask: frames whose pose counts, if not the same.
            seeds: of the sequences.
            people: who moves in each sequence; all different if left out.
            reference: where styles come from instead of a sequence's other window.
            vertices: see `declaim.methods.diffposetalk.objective.vertex_losses`.
        """
        config, units = self.config, self.normalizer.to(motion.device)
        batch, device = len(motion), motion.device
        people = torch.arange(batch, device=device) if people is None else people
        seeds = torch.randint(2**62, (batch,)) if seeds is None else seeds
        pose_mask = mask if pose_mask is None else pose_mask
        x0, heard = units.normal_motion(motion), units.normal_speech(speech)
        drawn = draw((batch, x0.shape[1], FACE64.dim), config, self.schedule, device, seeds=seeds, networks=2)
        clean, eps, real, posed = (_windows(rows, config.prefix) for rows in (x0, drawn.eps, mask, pose_mask))
        previous = torch.arange(clean.shape[1], device=device) < config.prefix
        noisy = q_sample(clean, eps, drawn.levels.transpose(0, 1).flatten(0, 1))
        first = torch.arange(2 * batch, device=device) < batch
        codes, contrast = self._codes(x0, mask, people, reference)
        style, hidden = self._dropped(codes, self.denoiser.listen(_windows(heard, config.prefix)), seeds)
        estimate = self.denoiser(
            torch.where(previous[:, None], clean, noisy), drawn.steps.T.reshape(-1), hidden, style, first=first,
            real=real,
        )  # fmt: skip
        counted = ~(first[:, None] & previous)  # before a first window there is nothing
        losses = motion_losses(
            clean, estimate, real & counted, posed & counted, first=first, prefix=config.prefix, units=units,
            vertices=vertices, closure=config.losses.closure,
        )  # fmt: skip
        whole = total(losses, config.losses)
        return {**losses, "contrast": contrast, "total": whole + config.style.contrast_weight * contrast}

    def _codes(
        self,
        x0: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        people: Int64[Tensor, " batch"],
        reference: Reference | None,
    ) -> tuple[Float[Tensor, "windows style"], Float[Tensor, ""]]:
        """A style for every first and then every second window, and how well codes tell people apart."""
        kind, batch = self.config.style.kind, len(x0)
        if kind == "one-hot":
            return self.style_table(people).repeat(2, 1), x0.new_zeros(())
        if kind == "none":
            return self.denoiser.no_style.expand(2 * batch, -1), x0.new_zeros(())
        own = _windows(x0, 0), _windows(mask, 0)
        codes = self.style_encoder(*own)
        who, seen = people.repeat(2), own[1].any(1)
        styles = torch.cat([codes[batch:], codes[:batch]])  # the style of a window comes from the other one
        if reference is not None:
            units = self.normalizer.to(x0.device)
            others = self.style_encoder(units.normal_motion(reference.motion), reference.mask)
            there = reference.mask.any(1)
            styles = torch.where(there.repeat(2)[:, None], others.repeat(2, 1), styles)
            codes, who, seen = torch.cat([codes, others]), torch.cat([who, people]), torch.cat([seen, there])
        contrast = nt_xent(codes[seen], who[seen], self.config.style.temperature)
        return styles.detach() if self.config.style.detached else styles, contrast

    def _dropped(
        self,
        codes: Float[Tensor, "windows style"],
        heard: Float[Tensor, "windows frames dim"],
        seeds: Int64[Tensor, " batch"],
    ) -> tuple[Float[Tensor, "windows style"], Float[Tensor, "windows frames dim"]]:
        """Styles and speech with the learnt nothing in their place in some windows."""
        config = self.config
        chance = torch.cat([torch.rand(1, 2, generator=g) for g in row_generators(seeds, stream=1)]).T.reshape(-1)
        chance = chance.to(codes.device)
        styleless = chance < config.drop_style + config.drop_both
        silent = (chance >= config.drop_style) & (chance < config.drop_style + config.drop_both + config.drop_speech)
        previous = torch.arange(heard.shape[1], device=heard.device) < config.prefix
        heard = torch.where((silent[:, None] & ~previous)[..., None], self.denoiser.no_speech, heard)
        return torch.where(styleless[:, None], self.denoiser.no_style, codes), heard

    # --- styles ------------------------------------------------------------------------------------------------------

    @property
    def style_key(self) -> str:
        """Hash of what styles come from: the weights of encoder or table, in half precision as they are saved."""
        digest = hashlib.sha256()
        for name, values in sorted(half(self.state_dict()).items()):
            if name.startswith("style_"):
                digest.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @torch.inference_mode()
    def style_of(self, motion: Motion, source: str = "motion") -> Style:
        """The style of somebody's motion: the mean over parts of `StyleConfig.frames` frames.

        Args:
            motion: tracked, 2 s or more.
            source: what to call its origin.

        Raises:
            ConfigError: it is too short, of another layout or rate, or this method has no style encoder.
        """
        if self.config.style.kind != "encoder":
            raise ConfigError("these weights have no style encoder; use others")
        if motion.layout != FACE64 or motion.fps != FPS:
            raise ConfigError(
                f"a style needs motion over {FACE64.name} at {FPS} frames/s; got {motion.layout.name} at {motion.fps}"
            )
        valid = torch.ones(len(motion), dtype=torch.bool) if motion.valid is None else motion.valid
        seen = int(valid.sum())
        if seen < LEAST_FRAMES:
            raise ConfigError(
                f"a style needs {float(LEAST_FRAMES / FPS):g} s of a face in motion, and this has "
                f"{float(seen / FPS):.1f} s; give a longer clip"
            )
        model = FaceModel.from_pretrained()
        target = motion_target(motion.values, valid, Anatomy.of(model), self.normalizer.eyes)
        size = min(self.config.style.frames, len(target))
        starts = torch.linspace(0, len(target) - size, -(-len(target) // size)).round().long().tolist()
        parts = torch.stack([self.normalizer.normal_motion(target)[s : s + size] for s in starts])
        masks = torch.stack([valid[s : s + size] for s in starts])
        training = self.training
        self.eval()
        codes = self.style_encoder(parts, masks)[masks.any(1)]
        self.train(training)
        return Style(codes.mean(0).clone(), self.style_key, source, seen / float(FPS), manner_of(motion, model))

    def with_style(
        self, style: Style | None, *, speech_guidance: float | None = None, style_guidance: float | None = None
    ) -> "DiffPoseTalk":
        """This method in a style, with the same weights in memory.

        Args:
            style: of `style_of` or `styles`; None for the style-free method.
            speech_guidance: how much the speech guides; the method's own if left out.
            style_guidance: how much the style guides; the method's own if left out.

        Raises:
            ConfigError: a scale is no number of at least 0, or the code has another size.
            CheckpointError: the style is of another style encoder.

        Warns:
            DeclaimWarning: a scale is 0, or so large that motion has to be held within bounds.
        """
        if style is not None:
            style.check_encoder(self.style_key)
        scales = {"speech_guidance": speech_guidance, "style_guidance": style_guidance}
        given = {name: scale for name, scale in scales.items() if scale is not None}
        check_scales(**given)
        for name, scale in given.items():
            _warn_of(name.removesuffix("_guidance"), scale)
        made = copy.copy(self)
        made.style, made.config = style, self.config.model_copy(update=given)
        return made

    def save_parts(self, folder: Path) -> None:
        """Write the named styles."""
        if self.styles:
            (folder / STYLES_FOLDER).mkdir()
        for name, style in self.styles.items():
            style.save(folder / STYLES_FOLDER / f"{name}.safetensors")

    def load_parts(self, folder: Path) -> None:
        """Read the named styles, and wear the one that the configuration names.

        Raises:
            CheckpointError: a style is damaged or of another encoder, or the default one is not there.
        """
        for path in sorted((folder / STYLES_FOLDER).glob("*.safetensors")):
            self.styles[path.stem] = Style.load(path)
            self.styles[path.stem].check_encoder(self.style_key)
        wanted = self.config.default_style
        if wanted and wanted not in self.styles:
            raise CheckpointError(f"{folder} lacks the style {wanted!r}, which its settings name as the default")
        self.style = self.styles.get(wanted)

    # --- inference ---------------------------------------------------------------------------------------------------

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """A window's new frames; a short window is padded, as training's are."""
        config, units = self.config, self.normalizer
        first, wanted = window.start == 0, window.stop - window.start
        missing, spare = config.prefix - len(finished), config.frames - config.prefix - (window.end - window.start)
        known = functional.pad(finished, (0, 0, missing, 0))
        heard = torch.cat([heard[:1].expand(missing, -1), heard, heard.new_zeros(spare, heard.shape[1])])

        def fresh(stream: int) -> Float[Tensor, "generated dim"]:
            return frame_noise(seed, stream, window.start, window.end + spare, FACE64.dim)

        noise = fresh(0)
        noise = cooled(noise, config.lip_temperature, units.lips_of)
        network = Guided(
            self.denoiser, self._branches(), first=first, real=torch.arange(config.frames) < config.frames - spare,
            threshold=config.threshold,
            bound=NARROW if max(config.speech_guidance, config.style_guidance) > MOST_GUIDANCE else BOUND,
        )  # fmt: skip
        sampled = sample_window(
            network, heard, known, noise, self.schedule, visited=visited, sampler=config.sampler,
            settle=(config.lip_steps, units.lips_of),
            chance=(lambda step: fresh(1 + step)) if config.ancestral else None,
        )[: window.end - window.start]  # fmt: skip
        return joined(sampled, finished, config.seam_frames, units.lips_of)[:wanted]

    def _branches(self) -> list[Branch]:
        """What guidance needs; a branch that counts nothing is left out."""
        config, code = self.config, None if self.style is None else self.style.code
        scales = config.speech_guidance, config.style_guidance
        if code is None:
            branches = [Branch(1.0 - scales[0], False, None), Branch(scales[0], True, None)]
        else:
            together = config.guidance == "incremental"
            weights = incremental_weights(*scales) if together else independent_weights(*scales)
            conditions: list[tuple[bool, Tensor | None]] = [(False, None), (True, None), (together, code)]
            branches = [Branch(weight, *which) for weight, which in zip(weights, conditions, strict=True)]
        return [branch for branch in branches if branch.weight != 0.0]


def _warn_of(what: str, scale: float) -> None:
    if scale == 0.0:
        warnings.warn(f"a {what} guidance of 0 leaves the {what} out", DeclaimWarning, stacklevel=3)
    elif scale > MOST_GUIDANCE:
        warnings.warn(
            f"a {what} guidance of {scale:g} is far beyond what looks natural (up to {MOST_GUIDANCE:g}); the motion is "
            "held within bounds", DeclaimWarning, stacklevel=3,
        )  # fmt: skip


def _windows(rows: Tensor, prefix: int) -> Tensor:
    """First windows of all sequences, then the second ones, each with the frames before it in front.

        sequence  0 1 2 3 4 5 6 7      first   0 0 0 1 2 3     prefix 2; the network puts start tokens in the place
                                       second  2 3 4 5 6 7     of what is before a first window

    Args:
        rows: (sequences, frames, ...); an odd frame is filled up with zeros.
        prefix: frames before a window.
    """
    n = -(-rows.shape[1] // 2)
    if rows.shape[1] % 2:
        rows = torch.cat([rows, torch.zeros_like(rows[:, :1])], 1)
    front = rows[:, :1].expand(-1, prefix, *rows.shape[2:])
    return torch.cat([torch.cat([front, rows[:, :n]], 1), rows[:, n - prefix :]])
