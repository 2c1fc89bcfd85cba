import pytest
import torch

from declaim import assets
from declaim.audio.encoders import WhisperBaseEncoder, WhisperTinyEncoder
from declaim.audio.pieces import FADE, PIECE, STEP, crossfaded, piece_starts
from declaim.audio.prosody import PROSODY_DIM, frame_levels_db, prosody, voicing
from declaim.audio.waveform import padded_to_frames, prepared, resample
from declaim.audio.whisper import WhisperEncoder
from declaim.errors import AssetError, NoAudio
from declaim.types import Speech


@pytest.fixture(scope="module", params=[WhisperTinyEncoder, WhisperBaseEncoder], ids=lambda made: made.name)
def encoder(request):
    """The real weights where they have been fetched; otherwise a random network of the same shape."""
    made = request.param()
    try:
        assets.locate(made.name)
    except AssetError:
        torch.manual_seed(0)
        width = (made.dim - PROSODY_DIM) // 2
        made.network = WhisperEncoder(width, width // 64, 2 * (width // 128) - 2).eval().requires_grad_(False)
    return made


def babble(seconds, rate=16000, seed=0):
    n = int(seconds * rate)
    time = torch.arange(n) / rate
    noise = torch.randn(n, generator=torch.Generator().manual_seed(seed))
    return Speech(0.2 * (noise * 0.3 + (2 * torch.pi * 150 * time).sin()) * (3 * time).sin().abs(), rate)


@pytest.mark.parametrize("n_samples", [1, 640, 641, 800, 40_000])
def test_one_row_per_frame(encoder, n_samples):
    speech = Speech(babble(3).samples[:n_samples], 16000)
    rows = encoder.encode(speech)
    assert rows.shape == (speech.n_frames, encoder.dim)
    assert bool(rows.isfinite().all())


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_other_rates_give_nearly_the_same_features(encoder, rate):
    speech = babble(2.0, rate)
    rows = encoder.encode(speech)
    assert rows.shape[0] == speech.n_frames == 50
    assert resample(speech).sample_rate == 16000


def test_features_do_not_change_in_place_or_with_later_calls(encoder):
    first = encoder.encode(babble(1.0))
    kept = first.clone()
    encoder.encode(babble(1.0, seed=1))
    assert torch.equal(first, kept)
    assert torch.equal(encoder.encode(babble(1.0)), kept)


def test_long_speech_is_streamed_in_blocks_and_does_not_depend_on_what_comes_later(encoder):
    long = babble(65.0)
    blocks = list(encoder.stream(long))
    assert sum(len(b) for b in blocks) == long.n_frames
    assert max(len(b) for b in blocks) <= PIECE
    shorter = encoder.encode(Speech(long.samples[: 58 * 16000], 16000))
    # the second piece starts at 26 s and ends at 56 s: everything before its fade-out is the same to the bit
    assert torch.equal(torch.cat(blocks)[: 2 * STEP], shorter[: 2 * STEP])


def test_seams_are_no_jumps(encoder):
    if assets.state(encoder.name) != "complete":
        pytest.skip(f"trained weights only: declaim assets pull {encoder.name}")
    rows = encoder.encode(babble(40.0))[:, :-PROSODY_DIM]
    change = rows.diff(dim=0).norm(dim=1)
    seam = change[STEP : STEP + (PIECE - STEP)]
    usual = torch.cat([change[100:STEP], change[PIECE : PIECE + 200]])
    assert float(seam.max()) <= 1.25 * float(usual.max())
    assert float(seam.mean()) <= 1.25 * float(usual.mean())


@pytest.mark.parametrize("n_frames", [1, PIECE, PIECE + 1, STEP + PIECE, STEP + PIECE + 1, 5000])
def test_pieces_cover_everything_once(n_frames):
    spans = [(s, min(s + PIECE, n_frames)) for s in piece_starts(n_frames)]
    assert spans[0][0] == 0
    assert spans[-1][1] == n_frames

    def clock(start, stop):
        return torch.arange(start, stop, dtype=torch.float32)[:, None]

    rows = torch.cat(list(crossfaded(n_frames, clock)))[:, 0]
    torch.testing.assert_close(rows, torch.arange(n_frames, dtype=torch.float32))


def test_neighbours_are_mixed_linearly():
    rows = torch.cat(list(crossfaded(1000, lambda a, b: torch.full((b - a, 1), float(a > 0)))))[:, 0]
    rising = rows[(rows > 0) & (rows < 1)]
    assert len(rising) == FADE
    torch.testing.assert_close(rising.diff(), torch.full((FADE - 1,), 1 / FADE), atol=1e-5, rtol=0)


def test_prosody_tells_voice_from_hiss_and_silence():
    time = torch.arange(16000) / 16000
    voice = 0.3 * torch.sign((2 * torch.pi * 120 * time).sin())
    hiss = 0.3 * torch.randn(16000, generator=torch.Generator().manual_seed(0))
    low, loud, silent = prosody(voice).mean(0), prosody(hiss).mean(0), prosody(torch.zeros(16000)).mean(0)
    assert low[3] > 0.85 > 0.4 > loud[3]
    assert loud[2] > low[2]
    assert silent.tolist() == [0, 0, 0, 0]
    full = prosody(torch.sign(voice))
    assert float(full[:, :2].max()) == pytest.approx(1.0, abs=1e-5)


def test_levels_are_decibels():
    quiet = 0.1 * torch.ones(1280)
    assert frame_levels_db(quiet).tolist() == pytest.approx([-20.0, -20.0], abs=1e-4)
    assert voicing(torch.zeros(2, 640)).tolist() == [0, 0]


def test_bad_speech_is_refused():
    with pytest.raises(NoAudio, match="empty"):
        prepared(Speech(torch.zeros(0), 16000))
    with pytest.raises(NoAudio, match="not numbers"):
        prepared(Speech(torch.tensor([0.0, torch.inf]), 16000))
    assert float(prepared(Speech(torch.tensor([3.0, -3.0]), 16000)).samples.abs().max()) == 1.0
    assert padded_to_frames(torch.ones(700), 2).shape == (1280,)
    assert padded_to_frames(torch.ones(5000), 2).shape == (1280,)


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    with pytest.raises(AssetError, match=r"declaim assets pull whisper-tiny\.en"):
        WhisperTinyEncoder().encode(babble(0.1))
