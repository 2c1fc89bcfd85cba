"""The list of metrics: what each is called, how it is averaged, which way is better, which network is behind it.

Every figure is a quotient of sums over speakers, so that one bootstrap serves all:

    mean     sum of the speakers' means / number of speakers
    ratio    sum of the speakers' means of one score / sum of their means of another
    pooled   sum of all counts / sum of all exposures (blinks over minutes, closed over instants)
"""

from dataclasses import dataclass
from typing import Literal

Better = Literal["high", "low", "people", "one", "zero", "none"]
"""Which way is better; ``people``: near to the value of real people."""
Group = Literal["lips", "sync", "amplitude", "movement", "eyes", "takes", "re-enactment", "generated pictures"]


@dataclass(frozen=True)
class Measure:
    """One metric.

    Attributes:
        key: short name, in JSON.
        title: in tables.
        group: which table it stands in.
        unit: of the value; empty for plain numbers.
        definition: one or two sentences.
        better: which way is better.
        value: name of the score that is averaged (or the ratio's upper part).
        over: name of the score below the fraction line; empty for plain means.
        pooled: sums of counts instead of means of speakers.
        low: least acceptable value of generated motion, if there is a target.
        high: greatest acceptable value.
        low_of_people: least acceptable value, as a multiple of people's.
        high_of_people: greatest acceptable value, as a multiple of people's.
        off_people: greatest acceptable distance to people's value.
        high_of_mean_face: greatest acceptable value, as a multiple of the mean face's.
        digits: after the point.
        network: what the number was seen through; numbers of different networks cannot be compared.
        main: stands in the summary table and in the README.
    """

    key: str
    title: str
    group: Group
    definition: str
    better: Better
    value: str = ""
    over: str = ""
    pooled: bool = False
    unit: str = ""
    low: float | None = None
    high: float | None = None
    low_of_people: float | None = None
    high_of_people: float | None = None
    off_people: float | None = None
    high_of_mean_face: float | None = None
    digits: int = 2
    network: str = ""
    main: bool = False

    @property
    def score(self) -> str:
        """Name of the score that is averaged."""
        return self.value or self.key


EXPERT, IDENTITY, FEATURES, TRACKER = "declaim sync expert", "MobileFaceNet", "VGG16-HED", "Face Landmarker"
"""Names of the networks."""


def amplitude(part: str, title: str, *, low: float | None = None, high: float | None = None) -> Measure:
    """Amplitude of one motion part against people's."""
    return Measure(
        f"amplitude_{part}", f"amplitude, {title}", "amplitude",
        f"Standard deviation over time of {title}: mean over speakers generated, divided by mean over speakers true.",
        "one", f"sd_{part}", f"true_sd_{part}", low=low, high=high, main=part in ("mouth", "rotation"),
    )  # fmt: skip


def head_speed(quantile: str, title: str) -> Measure:
    """A quantile of the head's angular speed against people's."""
    return Measure(
        f"head_speed_{quantile}", f"head speed, {title}", "amplitude",
        f"Angular speed of the head, {title} over a clip's frames: mean over speakers generated, divided by mean over "
        "speakers true.",
        "one", f"speed_{quantile}", f"true_speed_{quantile}", low=0.75, high=1.25,
    )  # fmt: skip


def off_person(part: str, title: str) -> Measure:
    """How far one motion part's amplitude is from that of the very person."""
    return Measure(
        f"off_{part}", f"off the person's, {title}", "amplitude",
        f"Mean over clips of the size of log2 of generated over true standard deviation of {title}: 0 where everybody "
        "moves as himself, 1 where he moves twice or half as much.",
        "low",
    )  # fmt: skip


LIPS = (
    Measure("mouth_correlation", "mouth correlation", "lips",
            "Pearson correlation of the mouth's opening with the truth's, per clip; 0 for a mouth that never moves.",
            "high", low=0.70, main=True),
    Measure("mouth_correlation_in_step", "mouth correlation, footage in step", "lips",
            "The same where clips of 4 s and more whose picture is early or late are first shifted by the offset that "
            "the sync expert finds in the people themselves (up to 5 frames), whatever the method does.",
            "high", network=EXPERT, main=True),
    Measure("mouth_lag", "mouth lag", "lips",
            "Shift of highest correlation with the truth's opening, -5 to 5 frames; positive: the mouth is late.",
            "zero", unit="frames"),
    Measure("closures", "lips closed on p, b, m", "lips",
            "Share of the instants of p, b and m (forced alignment of GRID's sentences) at which the opening falls "
            "below 15 % of the clip's range; pooled over all instants.",
            "high", "closed", "instants", pooled=True, low=0.80, main=True),
    Measure("closures_chance", "closures anywhere in speech", "lips",
            "Chance level of closures: share of windows of the same length anywhere in speech that hold a closure.",
            "none", "closed_anywhere"),
    Measure("lmd", "LMD", "lips",
            "Mean distance of the 80 lip points after rigid alignment on points that speech hardly moves, on the mean "
            "person, in face heights.", "low", digits=4),
    Measure("lve", "LVE", "lips", "Mean over frames of the largest lip point's distance, on the mean person.",
            "low", "lve_cm", unit="cm", digits=3),
    Measure("mod", "MOD", "lips", "Mean absolute difference of the mouth's opening, on the mean person.",
            "low", "mod_cm", unit="cm", digits=3),
    Measure("lve_head", "LVE, head", "lips",
            "Mean over frames of the farthest lip vertex's distance on the full 3-D head, mean identity, head at rest.",
            "low", "lve_head_mm", unit="mm", high_of_mean_face=0.8, main=True),
    Measure("mod_head", "MOD, head", "lips", "Mean absolute difference of the mouth's opening on the full 3-D head.",
            "low", "mod_head_mm", unit="mm", high_of_mean_face=0.8, main=True),
)  # fmt: skip

SYNC = (
    Measure("lse_d", "LSE-D", "sync",
            "Least mean distance of speech and lip motion embeddings over offsets of -15 to 15 frames.",
            "low", network=EXPERT, main=True),
    Measure("lse_c", "LSE-C", "sync", "Median minus least distance over offsets of -15 to 15 frames.",
            "high", low_of_people=0.85, network=EXPERT, main=True),
    Measure("sync_offset", "offset", "sync",
            "Offset of the least distance: positive where the mouth is late. Mean over clips, with sign.",
            "zero", unit="frames", network=EXPERT),
    Measure("sync_offset_size", "offset, size", "sync", "Mean size of the offset of the least distance.",
            "low", unit="frames", network=EXPERT),
)  # fmt: skip

MOVEMENT = (
    amplitude("mouth", "mouth opening", low=0.8, high=1.2),
    amplitude("mouth_width", "mouth width"),
    amplitude("brows", "brow height"),
    amplitude("eyelids", "eyelids"),
    amplitude("gaze", "gaze"),
    amplitude("rotation", "head rotation", low=0.75, high=1.25),
    head_speed("median", "median"),
    head_speed("p90", "fastest tenth"),
    amplitude("translation", "head translation"),
    off_person("mouth", "mouth opening"),
    off_person("rotation", "head rotation"),
    Measure("fdd", "FDD", "amplitude",
            "Mean over the points of eyes, irises and brows of the temporal standard deviation of position, truth "
            "minus generated: positive where the truth is livelier.", "zero", "fdd_cm", unit="cm", digits=3),
    Measure("fdd_head", "FDD, head", "amplitude",
            "The same over the vertices of eyes, brows and forehead of the full 3-D head.",
            "zero", "fdd_head_mm", unit="mm", digits=3),
    Measure("silence", "mouth in pauses", "movement",
            "Movement of the mouth in pauses of at least 0.4 s, as a share of that in speech.",
            "low", "silence_movement", high=0.10, main=True),
    Measure("gap", "mouth in inserted silence", "movement",
            "The same in 2 s of digital silence between two readings of a clip; one clip of each speaker.",
            "low", "gap_movement", high=0.10),
    Measure("jitter", "lip jitter in silence", "movement",
            "Root mean square of the lip points' second difference from frame to frame, in pauses.",
            "low", "lip_jitter_mm", unit="mm", digits=3),
    Measure("beat_align", "Beat Align", "movement",
            "Mean over syllable onsets of exp(-d^2 / 2 sigma^2), d the distance to the nearest minimum of head speed, "
            "sigma 0.1 s. Not to be maximised: compare with people.", "people", off_people=0.05, digits=3),
    Measure("seam", "seam, face", "movement",
            "Mean step of the face points onto the first frame of a generation window over the mean step elsewhere.",
            "one"),
    Measure("seam_head", "seam, head", "movement", "The same for head rotation.", "one"),
)  # fmt: skip

EYES = (
    Measure("blink_rate", "blinks", "eyes", "Blinks a minute, pooled over all frames.",
            "people", "blinks", "minutes", pooled=True, unit="1/min", low_of_people=0.5, high_of_people=2.0, digits=1,
            main=True),
    Measure("blink_rate_speech", "blinks in speech", "eyes", "Blinks a minute of speech, pooled.",
            "people", "blinks_speech", "minutes_speech", pooled=True, unit="1/min", digits=1),
    Measure("blink_rate_pause", "blinks in pauses", "eyes", "Blinks a minute without speech, pooled.",
            "people", "blinks_pause", "minutes_pause", pooled=True, unit="1/min", digits=1),
    Measure("blink_duration", "blink duration", "eyes", "Mean width of a blink at half its depth, pooled.",
            "people", "blink_s", "blinks", pooled=True, unit="s"),
    Measure("blink_interval", "blink interval", "eyes",
            "Time from a blink after which half of the next blinks have come, of all clips together; intervals that a "
            "clip's end cuts off count for as long as they were seen (Kaplan-Meier).", "people", unit="s"),
    Measure("blink_interval_distance", "blink intervals, distance", "eyes",
            "Wasserstein distance of the distribution of blink intervals, cut at 5 s, to people's.", "low", unit="s"),
    Measure("gaze_rate", "gaze shifts", "eyes",
            "Movements of the irises by 0.3 mm or more within three frames, seen with open lids, a minute, pooled.",
            "people", "gaze_shifts", "minutes", pooled=True, unit="1/min", digits=1),
    Measure("gaze_shift", "gaze shift", "eyes", "Mean size of these movements, pooled.",
            "people", "gaze_moved_mm", "gaze_shifts", pooled=True, unit="mm"),
    Measure("gaze_interval", "fixation", "eyes", "The same as the blink interval, from one gaze shift to the next.",
            "people", unit="s"),
    Measure("gaze_interval_distance", "fixations, distance", "eyes",
            "Wasserstein distance of the distribution of these intervals, cut at 5 s, to people's.", "low", unit="s"),
)  # fmt: skip

TAKES = (
    Measure("diversity_takes", "Diversity over takes", "takes",
            "Standard deviation of head rotation over takes (seeds) of one clip, mean over time.",
            "none", unit="deg", low=0.01, main=True),
    Measure("diversity_time", "Diversity over time", "takes",
            "Standard deviation of head rotation over time within a take, mean over takes.",
            "people", "head_sd_deg", unit="deg"),
)  # fmt: skip


def _pictures(group: Group, prefix: str, whose: str, *, aligned: bool) -> tuple[Measure, ...]:
    shared = (
        Measure(f"{prefix}_fid", "FID", group,
                f"Squared Frechet distance of block 3's mean activations, {whose} against the clips' own frames, all "
                "clips pooled (real people: one half of the frames against the other). Biased upwards by few samples: "
                "compare only at equal counts.",
                "low", digits=2, network=FEATURES, main=True),
        Measure(f"{prefix}_csim", "CSIM", group,
                f"Cosine of the identity vectors of {whose} and of "
                + ("the clip's frame at that time." if aligned else "the portrait (the clip's first frame)."),
                "high", digits=3, network=IDENTITY, main=True),
    )  # fmt: skip
    if not aligned:
        return shared
    return (
        Measure(f"{prefix}_psnr", "PSNR", group, "Of the head's box, all pixels and channels.",
                "high", unit="dB", digits=1, main=True),
        Measure(f"{prefix}_ssim", "SSIM", group, "Of the head's box: Gaussian window 11x11, sigma 1.5.",
                "high", digits=3, main=True),
        Measure(f"{prefix}_lmd", "LMD", group,
                "Mean distance of the lip points after rigid alignment, as tracked in both pictures, face heights.",
                "low", digits=4, network=TRACKER, main=True),
        Measure(f"{prefix}_perceptual", "perceptual distance", group,
                "Squared distance of unit-length feature vectors, mean over places and five blocks, equal weights.",
                "low", digits=3, network=FEATURES, main=True),
        *shared,
    )  # fmt: skip


PICTURES = (
    *_pictures("re-enactment", "re", "frames drawn from tracked motion", aligned=True),
    *_pictures("generated pictures", "gen", "frames drawn from generated motion", aligned=False),
)

POOLED_SETS = ("re_fid", "gen_fid")
"""Measures of whole sets of pictures: no mean over clips, so no interval."""


def measures(*, pictures: bool, sync: bool = True) -> list[Measure]:
    """All metrics of an evaluation."""
    return [*LIPS, *(SYNC if sync else ()), *MOVEMENT, *EYES, *TAKES, *(PICTURES if pictures else ())]
