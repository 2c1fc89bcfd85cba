"""An evaluation of methods whose scores are known; interruption, frozen protocols, mistakes."""

import json
import math
import re
import shutil

import pytest
import torch

from declaim.assets import state
from declaim.data.corpus import CLIPS_FILE, Corpus
from declaim.errors import CheckpointError, ConfigError
from declaim.evaluation import run
from declaim.evaluation.judging.performance import Performance
from declaim.evaluation.judging.scores import in_step
from declaim.evaluation.protocol import PROTOCOL_VERSION, freeze
from declaim.evaluation.run import Wishes, evaluate
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.metrics.functional.motion import spread
from declaim.types import Motion

pytestmark = pytest.mark.footage


@pytest.fixture(autouse=True)
def one_commit_and_no_expert(monkeypatch, request):
    """Most tests need no sync expert; and the repository may move on while they run."""
    monkeypatch.setattr("declaim.evaluation.report.commit", lambda: "0123456789ab")
    if "sync_scores" not in request.node.name:
        monkeypatch.setattr(run, "sync_expert", lambda folder: (None, {}))


def wishes(weights, *names, **more) -> Wishes:
    names = names or ("replay",)
    given = tuple(w for w in weights if w.split("=")[0] in names)
    return Wishes(**({"methods": names, "weights": given, "pictures": False, "seeds": (0, 1)} | more))


def figures(report, key):
    return {k: f["value"] for k, f in next(r for r in report["rows"] if r["key"] == key)["figures"].items()}


@pytest.fixture(scope="module")
def folder(corpus, methods, tmp_path_factory):
    """A finished evaluation of the three known methods."""
    found = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "sync_expert", lambda folder: (None, {}))
        evaluate(corpus, found, wishes(methods, "replay", "still", "chance"))
    return found


@pytest.fixture
def report(folder):
    return json.loads((folder / "report.json").read_text())


def test_known_methods_get_known_scores(report):
    replay, people = figures(report, "replay"), figures(report, "people")
    assert replay["mouth_correlation"] == pytest.approx(1.0, abs=1e-6)
    assert replay["lve"] == replay["mod"] == 0 and replay["lmd"] == pytest.approx(0, abs=1e-6)
    assert replay["lve_head"] == replay["mod_head"] == replay["fdd_head"] == 0
    assert replay["off_mouth"] == replay["off_rotation"] == 0
    for part in ("mouth", "brows", "eyelids", "rotation", "translation"):
        assert replay[f"amplitude_{part}"] == pytest.approx(1.0, rel=1e-4), part
    assert replay["closures"] == people["closures"] >= 0.7
    assert replay["blink_rate"] == people["blink_rate"] and replay["diversity_takes"] == 0
    still = figures(report, "still")
    assert still["mouth_correlation"] == still["amplitude_mouth"] == still["closures"] == 0
    assert still["lve_head"] == pytest.approx(figures(report, "mean-face")["lve_head"]) and still["lve_head"] > 1
    assert "off_mouth" not in still, "what never moves is infinitely far from everybody"
    assert "silence" not in still and "mouth_lag" not in still, "a mouth that never moves has no lag and no ratio"
    missed = {k for k, met in report["targets"]["still"].items() if not met}
    assert {"mouth_correlation", "amplitude_mouth", "amplitude_rotation", "closures"} <= missed
    assert all(report["targets"]["replay"][k] for k in missed - {"blink_rate", "diversity_takes"})


def test_another_clips_speech_is_the_floor_and_stills_follow_nothing(report):
    floor = figures(report, "replay-other-speech")
    assert floor["mouth_correlation"] < 0.6 and floor["lve"] > 0.1
    assert floor["mouth_correlation"] == pytest.approx(figures(report, "people-other-speech")["mouth_correlation"])
    for row in ("mean-face", "held-still"):
        assert figures(report, row)["mouth_correlation"] == 0 == figures(report, row)["amplitude_rotation"]


def test_targets_beside_the_mean_face(report):
    assert report["targets"]["replay"]["lve_head"] and report["targets"]["replay"]["mod_head"]
    assert not report["targets"]["still"]["lve_head"] and not report["targets"]["still"]["mod_head"]


def test_what_is_written(folder):
    text = (folder / "report.md").read_text()
    assert "**replay**" in text and "real people, another's speech" in text and "grid-s3" in text
    saved = json.loads((folder / "protocol.json").read_text())
    assert [clip["name"] for clip in saved["protocol"]["clips"]] == ["grid-s2_001", "grid-s3_001", "grid-s4_001"]
    assert set(saved["made_with"]["weights"]) == {"replay", "still", "chance", "face-model", "head3d"}
    assert str(folder.parent) not in (folder / "protocol.json").read_text() + (folder / "report.json").read_text()


def test_the_page_needs_no_network_and_has_its_parts(folder):
    page = (folder / "report.html").read_text()
    outside = [a for a in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page) if not a.startswith(("data:", "#"))]
    assert not outside and "@import" not in page and "url(" not in page and "<script" not in page
    for part in ("Single clips beside the truth", "Poses of several takes", "Beats", "Head speed", "Definitions",
                 "mouth correlation", "another&#x27;s speech", "replay by speaker"):  # fmt: skip
        assert part in page, part
    assert page.count("<svg") >= 3 * 9 + 2
    assert '<td class="best">' in page
    assert page.count("<section") == page.count("</section>") and page.count("<div") == page.count("</div>")


def test_an_interrupted_evaluation_goes_on_and_ends_the_same(corpus, methods, tmp_path):
    import known_methods

    asked = wishes(methods, "replay")
    whole = evaluate(corpus, tmp_path / "whole", asked)

    class Interrupted(Exception):
        pass

    def stop_in_scores(stage):
        def on_step(done, total):
            if stage == "motion to scores" and done == 2:
                raise Interrupted

        return on_step

    with pytest.raises(Interrupted):
        evaluate(corpus, tmp_path / "cut", asked, stop_in_scores)
    assert not (tmp_path / "cut" / "report.json").exists()
    before = known_methods.Replay.calls
    again = evaluate(corpus, tmp_path / "cut", asked)
    assert known_methods.Replay.calls == before, "finished takes are not made again"
    assert again == whole
    names = ("report.json", "report.md", "report.html", "protocol.json")
    assert all((tmp_path / "cut" / n).read_bytes() == (tmp_path / "whole" / n).read_bytes() for n in names)


def test_damaged_results_are_made_anew(corpus, methods, tmp_path):
    asked = wishes(methods, "replay", seeds=(0,))
    whole = evaluate(corpus, tmp_path / "r", asked)
    for path in (tmp_path / "r" / "work").rglob("*.*"):
        path.write_bytes(path.read_bytes()[:50])
    assert evaluate(corpus, tmp_path / "r", asked) == whole


def test_the_protocol_is_frozen(corpus, methods, tmp_path):
    asked = wishes(methods, "still", seeds=(0,))
    folder = tmp_path / "r"
    first = evaluate(corpus, folder, asked)
    with pytest.raises(ConfigError, match=r"another protocol \(seeds was \(0,\) and is \(0, 1\)\)"):
        evaluate(corpus, folder, wishes(methods, "still"))
    followed = wishes(methods, "replay", protocol=folder / "protocol.json")
    other = evaluate(corpus, tmp_path / "other", followed)
    assert other["protocol"] == first["protocol"]

    changed = Corpus(corpus.folder)
    clip = changed.clips[1]
    files = clip.files | {"motion": clip.files["motion"].model_copy(update={"sha256": "0" * 64})}
    changed.clips[1] = clip.model_copy(update={"files": files})
    with pytest.raises(ConfigError, match=r"grid-s3_001 .* is not that of the protocol \(files differ\)"):
        evaluate(changed, tmp_path / "third", followed)
    with pytest.raises(ConfigError, match="clip grid-s3_001 has changed"):
        evaluate(changed, folder, asked)
    changed.clips.pop(1)
    with pytest.raises(ConfigError, match="lacks clip grid-s3_001"):
        evaluate(changed, tmp_path / "third", followed)
    path = folder / "protocol.json"
    path.write_text(path.read_text().replace(f'"version": {PROTOCOL_VERSION}', '"version": 99', 1))
    with pytest.raises(ConfigError, match="protocol of version 99"):
        evaluate(corpus, folder, asked)
    path.write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        evaluate(corpus, folder, asked)


def test_two_methods_in_one_face(corpus, methods, tmp_path):
    asked = wishes(methods, "replay", "still", methods=("lips=replay,head=still",), seeds=(0,), per_speaker=1)
    report = evaluate(corpus, tmp_path / "r", asked)
    mixed = figures(report, "lips replay, head still")
    assert mixed["mouth_correlation"] > 0.98 and mixed["amplitude_rotation"] == 0
    hashes = report["made_with"]["weights"]["lips replay, head still"]
    assert {"lips/config.json", "head/config.json"} == set(hashes)


@pytest.fixture
def pair(corpus):
    """The corpus, its first two clips called one speaker's."""
    changed = Corpus(corpus.folder)
    changed.clips[1] = changed.clips[1].model_copy(update={"speaker": changed.clips[0].speaker})
    return changed


def test_styles_come_from_another_clip_of_the_same_speaker(pair):
    styles = freeze(pair, "eval", (0,), pictures=False).styles
    one, two, three = (clip.name for clip in pair.clips)
    assert (styles[one].own.name, styles[two].own.name, styles[three].own) == (two, one, None)
    assert (styles[one].stranger.name, styles[two].stranger.name) == (three, three)
    assert styles[three].stranger.name in (one, two)
    limited = freeze(pair, "eval", (0,), pictures=False, per_speaker=1).styles
    assert limited == {one: styles[one], three: styles[three]}, "a style may come from a clip that is not judged"


def test_a_method_that_takes_styles_has_rows_with_its_speakers_and_strangers_styles(pair, methods, tmp_path):
    report = evaluate(pair, tmp_path / "r", wishes(methods, "mimic", "still"))
    rows = {row["key"]: row for row in report["rows"]}
    own, others = rows["mimic, own style"], rows["mimic, another's style"]
    assert (own["kind"], others["kind"]) == ("method", "floor") and "still, own style" not in rows
    assert "(1 of 3 clips without: no other clip of their speaker)" in own["meaning"]
    assert "without" not in others["meaning"]
    assert len(own["figures"]["lve"]["seeds"]) == 2 and "seeds" not in others["figures"]["lve"]
    assert set(report["made_with"]["weights"]) == {"mimic", "still", "face-model", "head3d"}
    # a mimic nods as far as the clip does whose style it wears, and 0.1 rad without a style
    truth = {clip.name: Performance.of(pair.motion(clip), FaceModel.from_pretrained()).turns for clip in pair.clips}
    one, two, three = (clip.name for clip in pair.clips)
    styles = json.loads((tmp_path / "r" / "protocol.json").read_text())["protocol"]["styles"]
    sizes = {name: float(spread(turns)) for name, turns in truth.items()}
    expected = (abs(math.log2(sizes[two] / sizes[one])), abs(math.log2(0.1 / 2**0.5 / sizes[three])))
    by_speaker = own["figures"]["off_rotation"]["by_speaker"]
    assert by_speaker[pair.clips[0].speaker] == pytest.approx(expected[0], rel=0.05)
    assert by_speaker[pair.clips[2].speaker] == pytest.approx(expected[1], rel=0.05)
    plain = rows["mimic"]["figures"]["off_rotation"]["by_speaker"]
    assert plain[pair.clips[2].speaker] == by_speaker[pair.clips[2].speaker]
    source = styles[three]["stranger"]["name"]
    strange = others["figures"]["off_rotation"]["by_speaker"][pair.clips[2].speaker]
    assert strange == pytest.approx(abs(math.log2(sizes[source] / sizes[three])), rel=0.05)


def test_a_changed_clip_that_gives_a_style_stops_the_protocol(pair, methods, tmp_path):
    evaluate(pair, tmp_path / "r", wishes(methods, "still", seeds=(0,), per_speaker=1))
    followed = wishes(methods, "still", protocol=tmp_path / "r" / "protocol.json")
    clip = pair.clips[1]
    files = clip.files | {"motion": clip.files["motion"].model_copy(update={"sha256": "0" * 64})}
    pair.clips[1] = clip.model_copy(update={"files": files})
    with pytest.raises(ConfigError, match="clip grid-s3_001 of the protocol, from which a style is taken"):
        evaluate(pair, tmp_path / "other", followed)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": ("lips=replay",)}, "'lips=replay' is neither a method nor of the form lips=METHOD,head=METHOD"),
        ({"methods": ("lips=replay,head=sing",)}, "there is no method 'sing'"),
        (
            {"methods": ("lips=still,head=replay",), "weights": ("still=/x", "still=/y")},
            "several folders of 'still'; in a mixture it can have one",
        ),
        ({"methods": ("sing",), "weights": ()}, "there is no method 'sing'"),
        ({"methods": ("replay",), "weights": ()}, "ships no weights of 'replay'; give yours with --weights"),
        ({"weights": ("still=/x",)}, "names 'still', which is not evaluated; add --method still"),
        ({"weights": ("folder",)}, "not of the form METHOD=FOLDER"),
        ({"split": "test"}, "no usable clip of split test; it has the splits: eval"),
        ({"seeds": (1, 1)}, "seeds are 1 1; give each once"),
    ],
)
def test_mistakes_are_one_sentence(corpus, methods, tmp_path, change, sentence):
    from dataclasses import replace

    with pytest.raises(ConfigError) as caught:
        evaluate(corpus, tmp_path / "r", replace(wishes(methods), **change))
    assert sentence in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_a_corpus_without_pictures_is_told(corpus_folder, methods, tmp_path):
    from declaim.data.corpus import write_lines

    bare = tmp_path / "bare"
    shutil.copytree(corpus_folder, bare)
    found = Corpus(bare)
    without = [
        c.model_copy(update={"files": {k: f for k, f in c.files.items() if k != "picture"}}) for c in found.clips
    ]
    write_lines(bare / CLIPS_FILE, without)
    with pytest.raises(ConfigError, match=r"3 of 3 clips .* have no pictures .* --no-pictures"):
        evaluate(Corpus(bare), tmp_path / "r", wishes(methods, pictures=True))


@pytest.mark.skipif(
    {state("vgg16-hed"), state("mobilefacenet")} != {"complete"},
    reason="not fetched: declaim assets pull vgg16-hed mobilefacenet",
)
def test_pictures_of_replayed_motion_beat_the_portrait_held_still(corpus, methods, tmp_path):
    pytest.importorskip("h5py")
    pytest.importorskip("ai_edge_litert")
    report = evaluate(corpus, tmp_path / "r", wishes(methods, "replay", pictures=True, seeds=(0,), per_speaker=1))
    redrawn, still, replay = (figures(report, row) for row in ("redrawn", "held-still", "replay"))
    assert redrawn["re_lmd"] < 0.7 * still["re_lmd"]
    assert redrawn["re_perceptual"] < still["re_perceptual"]
    assert still["gen_csim"] == pytest.approx(1.0, abs=1e-5)
    assert replay["gen_csim"] > 0.6 and redrawn["re_csim"] > 0.6
    counts = [r["figures"]["gen_fid"]["clips"] for r in report["rows"] if "gen_fid" in r["figures"]]
    assert counts == [9, 18, 18, 18, 18], "the number of pictures stands beside FID"
    networks = {m["key"]: m.get("network") for m in report["measures"]}
    assert networks["gen_fid"] == "VGG16-HED" and networks["gen_csim"] == "MobileFaceNet"
    page = (tmp_path / "r" / "report.html").read_text()
    assert page.count('<video controls loop playsinline preload="metadata" src="data:video/mp4;base64,') == 3
    assert len(page) < 25_000_000


def test_sync_scores_tell_truth_from_strangers(corpus, methods, tmp_path):
    if state("whisper-tiny.en") != "complete":
        pytest.skip("not fetched: declaim assets pull whisper-tiny.en")
    report = evaluate(corpus, tmp_path / "r", wishes(methods, "replay", seeds=(0,)))
    people, stranger, replay = (figures(report, r) for r in ("people", "people-other-speech", "replay"))
    assert people["lse_d"] < stranger["lse_d"] and people["lse_c"] > stranger["lse_c"]
    assert replay["lse_d"] == pytest.approx(people["lse_d"], rel=1e-3) and people["sync_offset_size"] <= 1
    assert replay["mouth_correlation_in_step"] == people["mouth_correlation_in_step"] == 1.0
    assert "Offset curves" in (tmp_path / "r" / "report.html").read_text()


def test_late_footage_is_brought_into_step():
    wide = torch.rand(140, generator=torch.Generator().manual_seed(0)).cumsum(0).sin()
    points = torch.zeros(1, 1, 3)
    motion = Motion(torch.zeros(120, FACE64.dim), FACE64)

    def says(opening):
        take = Performance(motion, points.expand(len(opening), -1, -1), torch.zeros(len(opening), 3))
        take.__dict__["opening"] = opening
        return take

    take, late_truth = says(wide[10:130]), says(wide[7:127])
    assert in_step(take, late_truth, 3.0) == pytest.approx(1.0, abs=1e-5)
    unshifted = in_step(take, late_truth, None)
    assert unshifted < 0.9
    assert in_step(take, late_truth, 6.0) == unshifted, "no camera is so late"
    short = says(wide[10:100]), says(wide[7:97])
    assert in_step(*short, 3.0) == in_step(*short, None), "too short to be sure"
