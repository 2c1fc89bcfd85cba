"""One take in the making: sampled windows go in, finished rows come out as soon as nothing later can change them.

    sampled    |=====================================|
    finished   |===========================|.........|   held back: smoothing, eyes, a pause whose end is not known
    kept                            |======|.........|   what the next rows' smoothing and calm look back on

Offline and streaming make their motion here, in the same blocks, so that they give the same bits.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.diffusion.windows import Window
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.motion.eyes import LivingEyes
from declaim.motion.finish import check_scales, finished
from declaim.motion.liveliness import REACH as LIVELINESS
from declaim.motion.silence import CONTEXT, settled_frames
from declaim.motion.smoothing import reach_frames


class Performance:
    """Samples a take window by window and finishes its rows.

    Args:
        method: a `declaim.motion.method.MotionMethod`.
        seed: the take.
        steps: sampling steps; the method's own if left out.
        pose_scale: amplitude of head motion.
        expression_scale: amplitude of expression, blinks apart.
        blink_scale: depth of blinks.

    Raises:
        ConfigError: an option is out of range.
    """

    def __init__(
        self,
        method: Any,
        *,
        seed: int = 0,
        steps: int | None = None,
        pose_scale: float = 1.0,
        expression_scale: float = 1.0,
        blink_scale: float = 1.0,
    ) -> None:
        check_scales(pose_scale=pose_scale, expression_scale=expression_scale, blink_scale=blink_scale)
        self.method, self.seed = method, seed
        units, config = method.normalizer, method.config
        steps = config.sampling_steps if steps is None else steps
        self._visited = method.visited(steps)
        self._scales = {"pose_scale": pose_scale, "expression_scale": expression_scale}
        self._eyes = LivingEyes(units.eyes, seed, gaze_scale=expression_scale, blink_scale=blink_scale)
        smoothing = max(len(units.pose_filter) // 2, LIVELINESS, reach_frames(config.face_smoothing))
        self._held_back = max(smoothing, units.eyes.ahead)
        self._behind = max(smoothing, CONTEXT)
        self._normal, self._active = torch.zeros(0, FACE64.dim), torch.zeros(0, dtype=torch.bool)
        self._done = 0  # rows of the kept ones that have been given out

    @torch.inference_mode()
    def add(
        self, window: Window, features: Float[Tensor, "window features"], active: Bool[Tensor, " new"], *, last: bool
    ) -> Float[Tensor, "rows dim"]:
        """The rows that one more window lets finish; windows come in order.

        Args:
            window: which frames.
            features: speech features of the window's frames.
            active: which of its new frames hold speech; in pauses the lips are calm.
            last: nothing comes after it: every row is finished.
        """
        method, was_training = self.method, self.method.training
        if was_training:
            method.eval()
        known = self._normal[len(self._normal) - (window.start - window.begin) :]
        normal = method.sample(method.normalizer.normal_speech(features), known, window, self._visited, self.seed)
        if was_training:
            method.train()
        self._normal, self._active = torch.cat([self._normal, normal]), torch.cat([self._active, active])
        self._eyes.listen(active, last=last)
        return self._finish(last)

    def _finish(self, last: bool) -> Float[Tensor, "rows dim"]:
        n, config = len(self._normal), self.method.config
        stop = n if last else max(min(settled_frames(self._active), n - self._held_back), self._done)
        values = finished(self._normal, self._active, self.method.normalizer, config, **self._scales)
        rows = values[self._done : stop].clone()
        rows[:, :N_EXPRESSION] += self._eyes.rows(rows[:, FACE64.part("rotation").columns])
        kept = max(min(stop - self._behind, n - config.prefix), 0)
        self._normal, self._active = self._normal[kept:], self._active[kept:]
        self._done = stop - kept
        return rows
