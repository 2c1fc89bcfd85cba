"""Synthetic corpora: the same files for the same seed, resumable, refused where they would be mixed up."""

import hashlib
import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from declaim import assets
from declaim.audio.phonemes import BILABIALS, Phoneme, frame_spans
from declaim.audio.voice import SAMPLE_RATE as VOICE_RATE
from declaim.audio.voice import Utterance
from declaim.data.corpus import CLIPS_FILE, MOTION, SPEECH, Corpus, features_key
from declaim.data.synthetic import SynthesisOptions, build, corpus_phonemes, synthesize
from declaim.data.synthetic.build import speaking
from declaim.data.synthetic.speech import clip_generator, frames_of, read_phonemes, speak_clip
from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.face.model import FaceModel
from declaim.metrics.functional.lip import closures, mouth_opening
from declaim.timebase import SAMPLE_RATE, samples_in

VOICES = ("af_bella", "bm_george")
OPTIONS = SynthesisOptions(minutes=0.4, voices=VOICES, seed=3)


class Buzz:
    """Stands in for Kokoro: a buzz for vowels, nothing for closed lips, as long as the text."""

    def __init__(self, voice="af_bella"):
        self.voice, self.said = voice, 0

    def change(self, voice):
        self.voice = voice

    def say(self, text, speed=1.0):
        self.said += 1
        step = round(0.1 / speed * VOICE_RATE)
        names = ["SIL", *("B" if i % 2 else "AE" for i in range(len(text) // 4)), "SIL"]
        rng = np.random.default_rng(len(text))
        pieces = [rng.standard_normal(step) * (0.5 if name == "AE" else 0.001) for name in names]
        times = [(i * step / VOICE_RATE, (i + 1) * step / VOICE_RATE) for i in range(len(names))]
        phonemes = tuple(Phoneme(name, "", a, b) for name, (a, b) in zip(names, times, strict=True))
        return Utterance(np.concatenate(pieces).astype(np.float32), phonemes)


class Rows:
    """Stands in for the speech encoder."""

    def encode(self, speech):
        return speech.samples[: samples_in(speech.n_frames)].abs().reshape(-1, samples_in(1))[:, :4].clone()


@pytest.fixture
def buzz(monkeypatch):
    speaker = Buzz()
    monkeypatch.setattr(build, "_speaker", lambda: speaker)
    monkeypatch.setattr(build, "encoder_named", lambda name: Rows())
    monkeypatch.setattr(build, "phonemizer", lambda: "espeak-ng 0")
    return speaker


def _digests(folder):
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_corpus_of_speakers_with_phonemes_and_lips(tmp_path, buzz):
    made = synthesize(tmp_path / "c", OPTIONS)
    corpus = Corpus(tmp_path / "c")
    assert corpus.clips == made
    assert corpus.verify() == []
    assert {clip.speaker for clip in made} == set(VOICES)
    assert len(made) == 2 * OPTIONS.clips_per_voice
    assert len(corpus.select(["synthetic"])) == len(made)
    for clip in made:
        motion, phonemes = corpus.motion(clip), corpus_phonemes(corpus.folder, clip)
        assert len(motion) == clip.frames == len(corpus.features(clip)) == len(corpus.speaking(clip))
        assert corpus.speech(clip).n_frames == clip.frames == frames_of(phonemes)
        assert phonemes[-1].stop_s * SAMPLE_RATE == len(corpus.speech(clip).samples)
        assert all(a.stop_s == b.start_s for a, b in itertools.pairwise(phonemes))
        assert not motion["rotation"].any()
        assert not motion["translation"].any()
        assert motion["expression"].any()


def test_lips_of_the_made_motion_close_on_bilabials(tmp_path, buzz):
    made, face, closed = synthesize(tmp_path / "c", OPTIONS), FaceModel.from_pretrained(), []
    corpus = Corpus(tmp_path / "c")
    for clip in made:
        opening = mouth_opening(face.points(corpus.motion(clip)["expression"]))
        spans = frame_spans(list(corpus_phonemes(corpus.folder, clip)), len(opening), BILABIALS)
        closed += closures(opening, spans).tolist()
    assert len(closed) > 30
    assert np.mean(closed) >= 0.9


def test_same_seed_same_bytes_with_any_number_of_workers_and_other_seed_other_bytes(tmp_path, buzz):
    synthesize(tmp_path / "a", OPTIONS)
    synthesize(tmp_path / "b", OPTIONS)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    synthesize(tmp_path / "c", OPTIONS.model_copy(update={"seed": 4}))
    name = f"clips/af_bella_0000/{SPEECH}.flac"
    assert _digests(tmp_path / "c")[name] != _digests(tmp_path / "a")[name]


def test_a_clip_depends_on_seed_voice_and_number_alone():
    draws = {key: tuple(clip_generator(*key).random(3)) for key in ((0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1))}
    assert len(set(draws.values())) == 4
    assert draws[0, "a", 0] == tuple(clip_generator(0, "a", 0).random(3))


def test_an_interrupted_corpus_goes_on_where_it_was(tmp_path, buzz):
    synthesize(tmp_path / "whole", OPTIONS)
    said = buzz.said

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "c", OPTIONS, on_clip=stop)
    assert not (tmp_path / "c" / CLIPS_FILE).exists()
    half = buzz.said
    features = tmp_path / "c" / "clips" / "af_bella_0000" / f"{features_key(OPTIONS.encoder)}.safetensors"
    features.unlink()
    (tmp_path / "c" / "clips" / "bm_george_0000" / f"{MOTION}.safetensors").unlink()
    synthesize(tmp_path / "c", OPTIONS)
    assert buzz.said - half < said
    assert _digests(tmp_path / "c") == _digests(tmp_path / "whole")


def test_other_settings_or_other_things_in_the_folder_are_refused(tmp_path, buzz):
    synthesize(tmp_path / "c", OPTIONS)
    before = _digests(tmp_path / "c")
    with pytest.raises(ConfigError, match="is a corpus with seed 3, now asked for with 4"):
        synthesize(tmp_path / "c", OPTIONS.model_copy(update={"seed": 4}))
    assert _digests(tmp_path / "c") == before
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match="holds other things"):
        synthesize(tmp_path / "d", OPTIONS)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"minutes": 0}, "greater than 0"),
        ({"minutes": float("nan")}, "finite number"),
        ({"voices": ("nobody",)}, "there is no voice 'nobody'; there are: af_alloy"),
        ({"voices": ()}, "at least 1"),
        ({"voices": ("af_bella", "af_bella")}, "named twice"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_bad_options_say_what_is_wrong(options, reason):
    with pytest.raises(ValidationError, match=reason):
        SynthesisOptions(**options)


def test_minutes_are_shared_among_the_voices():
    assert SynthesisOptions(minutes=60).clips_per_voice == round(60 * 60 / build.CLIP_S / 28)
    assert SynthesisOptions(minutes=0.01).clips_per_voice == 1


def test_speaking_frames_follow_the_phonemes():
    line = (Phoneme("SIL", "", 0.0, 0.1), Phoneme("AA", "", 0.1, 0.25), Phoneme("SIL", "", 0.25, 0.4))
    assert speaking(line, 10).tolist() == [False, False, True, True, True, True] + [False] * 4


def test_damaged_phonemes_are_one_clear_error(tmp_path):
    (tmp_path / "phonemes.json").write_text('{"phonemes": [{"phoneme": "AA"}]}')
    with pytest.raises(CheckpointError, match="holds no phonemes"):
        read_phonemes(tmp_path / "phonemes.json")


def test_clips_of_one_voice_differ_in_speed_pitch_and_loudness(buzz):
    clips = [speak_clip(buzz, 0, number) for number in range(8)]
    assert len({clip.text for clip in clips}) == 8
    assert max(c.speed for c in clips) > 1.05 > 0.95 > min(c.speed for c in clips)
    assert max(c.pitch for c in clips) > 1.03 > 0.97 > min(c.pitch for c in clips)
    peaks = torch.stack([c.speech.samples.abs().max() for c in clips])
    assert peaks.max() <= 0.91
    assert peaks.min() < 0.6


def test_with_the_real_voice(tmp_path):
    pytest.importorskip("onnxruntime")
    try:
        for name in ("kokoro", "whisper-tiny.en"):
            assets.locate(name)
        build.phonemizer()
    except (AssetError, ConfigError) as error:
        pytest.skip(str(error))
    (clip,) = synthesize(tmp_path / "c", SynthesisOptions(minutes=0.05, voices=("af_bella",)))
    corpus = Corpus(tmp_path / "c")
    assert corpus.features(clip).shape == (clip.frames, 772)
    assert {p.name for p in corpus_phonemes(corpus.folder, clip)} > {"SIL"}
    assert 0.3 < corpus.speaking(clip).float().mean() <= 1
