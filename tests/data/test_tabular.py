"""Networks for tables: training, its figures, and the one file that a model is."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa

pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra: demo)")
metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra: demo)")

from fastact.learn.data.columns import Columns  # noqa: E402
from fastact.learn.data.frames import tidy  # noqa: E402
from fastact.learn.data.table import rows_to_learn  # noqa: E402
from fastact.learn.data.target import Target  # noqa: E402
from fastact.learn.tabular import ClassScores, NumberScores, TableModel, Training, scores_for, train  # noqa: E402
from fastact.learn.tabular.findings import score_sentences  # noqa: E402


def table(rows: int = 300) -> Any:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.normal(size=rows), "colour": rng.choice(["red", "blue"], rows)})
    frame.loc[::9, "x"] = np.nan
    signal = frame.x.fillna(0) + (frame.colour == "red")
    frame["three"] = np.select([signal < 0, signal < 1], ["low", "middle"], "high")
    frame["two"] = signal > 0.5
    frame["number"] = 1000 + 50 * signal
    return frame


@pytest.fixture(scope="module")
def trainings() -> dict[str, Training]:
    frame = table()
    names = ["three", "two", "number"]
    return {name: train(frame.drop(columns=[n for n in names if n != name]), name, epochs=40) for name in names}


@pytest.fixture(params=["three", "two", "number"])
def training(request: pytest.FixtureRequest, trainings: dict[str, Training]) -> Training:
    return trainings[request.param]


def test_a_table_is_learnt(training: Training) -> None:
    scores = training.scores
    assert scores.certain
    assert (scores.accuracy > 0.85) if isinstance(scores, ClassScores) else ((scores.r2 or 0) > 0.85)
    assert sum(vars(training.parts).values()) == 300
    assert scores.rows == training.parts.test == 60
    held_out = training.history["val_loss"]
    assert training.best_epoch == 1 + int(np.argmin(held_out))


def test_the_training_part_alone_is_learnt_from(trainings: dict[str, Training]) -> None:
    """Columns, target and weights stay the same whatever the rows of the test part hold."""
    frame = table()[["x", "colour", "number"]]
    test = rows_to_learn(tidy(frame), "number").parts(0.2, 0)[1]
    frame.loc[test, "x"] = frame.loc[test, "x"] * 100 + 9
    frame.loc[test, "number"] = 1e6 + test
    other, before = train(frame, "number", epochs=40), trainings["number"]
    assert other.model.columns == before.model.columns
    assert other.model.target == before.model.target
    assert other.model.network.parameters.tobytes() == before.model.network.parameters.tobytes()


def test_scores_are_those_of_scikit_learn(training: Training) -> None:
    frame = tidy(table())
    model, scores = training.model, scores_for(training.model.target)
    outputs = model.outputs(frame)
    rows, values = model.target.values(frame[model.target.name])
    for part in np.array_split(rows, 7):  # block by block
        scores.add(outputs[part], values[part])
    base = scores.baseline
    if isinstance(scores, ClassScores):
        assert isinstance(base, ClassScores)
        usual = np.full(len(values), np.argmax(np.bincount(values)))
        predicted = outputs.argmax(axis=1)
        assert scores.confusion.tolist() == metrics.confusion_matrix(values, predicted).tolist()
        pairs = [
            (scores.accuracy, metrics.accuracy_score(values, predicted)),
            (scores.balanced_accuracy, metrics.balanced_accuracy_score(values, predicted)),
            (scores.log_loss, metrics.log_loss(values, outputs / outputs.sum(axis=1, keepdims=True))),
            (base.accuracy, metrics.accuracy_score(values, usual)),
        ]
    else:
        assert isinstance(base, NumberScores)
        mean = np.full(len(values), model.target.mean)
        pairs = [
            (scores.r2 or 0, metrics.r2_score(values, outputs)),
            (scores.rmse, metrics.root_mean_squared_error(values, outputs)),
            (scores.mae, metrics.mean_absolute_error(values, outputs)),
            (base.rmse, metrics.root_mean_squared_error(values, mean)),
            (base.mae, metrics.mean_absolute_error(values, mean)),
            (base.r2 or 0, metrics.r2_score(values, mean)),
        ]
    own, theirs = np.array(pairs, float).T
    np.testing.assert_allclose(own, theirs, rtol=1e-5)


def test_what_is_no_better_than_chance_is_called_so() -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(200, 3)), columns=list("abc")).assign(y=rng.choice(["u", "v"], 200))
    found = train(frame, "y", epochs=10)
    assert not found.scores.certain
    assert "not clearly better" in " ".join(found.sentences())
    found = train(frame.drop(columns="y"), "a", epochs=10)
    assert not found.scores.certain
    assert "is not smaller than" in " ".join(found.sentences())


def test_a_network_that_is_worse_than_the_simplest_answer_is_not_excused_by_chance() -> None:
    numbers, labels = NumberScores(0.0), ClassScores(("a", "b"), (0.9, 0.1))
    numbers.add(np.full(50, 100.0), np.linspace(-1, 1, 50))
    labels.add(np.tile([0.0, 1.0], (50, 1)), np.zeros(50, int))
    for scores, said in ((numbers, "is not smaller than"), (labels, "The network is no better")):
        sentence, *_rest = score_sentences(scores)
        assert said in sentence
        assert "chance" not in sentence


def test_the_result_shows_itself(training: Training) -> None:
    json.dumps(training.as_dict(), allow_nan=False)
    assert training.title.endswith(f'"{training.model.target.name}"')
    assert "<table>" in training._repr_html_()
    assert "learnt from 192 rows. 48 others" in " ".join(training.sentences())
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")
    assert len(training.figure().axes) == 2


def test_overfitting_and_unbalanced_classes_are_told() -> None:
    rng = np.random.default_rng(1)
    frame = pandas.DataFrame(rng.normal(size=(200, 20))).add_prefix("x")
    frame["y"] = np.where(frame.x0 + rng.normal(size=200) > 1.3, "rare", "usual")
    words = " ".join(train(frame, "y", epochs=80, patience=60, learning_rate=0.01).sentences())
    assert "Overfitting: after epoch" in words
    assert "unbalanced: usual has" in words


# ---- the file


def test_a_loaded_model_predicts_the_same_bits(training: Training, tmp_path: Path) -> None:
    path, frame = tmp_path / "m.fastact", table()
    training.model.save(path)
    model = TableModel.load(path)
    assert (model.columns, model.target) == (training.model.columns, training.model.target)
    assert model.outputs(tidy(frame)).tobytes() == training.model.outputs(tidy(frame)).tobytes()
    frame.index = frame.index[::-1]
    predicted = model.predict(frame.assign(more=1))
    assert predicted.index.tolist() == frame.index.tolist()
    with pytest.raises(ValueError, match="lacks the column colour, from which"):
        model.predict(frame.drop(columns="colour"))
    if training.model.target.classes:
        shares = model.predict(frame, probabilities=True)
        assert list(shares)[1:] == [f"probability {name}" for name in model.target.classes]
        best = shares.iloc[:, 1:].idxmax(axis=1).str.removeprefix("probability ")
        assert best.tolist() == predicted.prediction.tolist()
    else:
        with pytest.raises(ValueError, match="without probabilities"):
            model.predict(frame, probabilities=True)


def damaged(content: bytes) -> Iterator[bytes]:
    r = random.Random(0)
    for end in [*range(0, 60, 7), *(r.randrange(len(content)) for _ in range(60)), len(content) - 1]:
        yield content[:end]
    for _ in range(200):
        flipped = bytearray(content)
        flipped[r.choice((r.randrange(len(content)), r.randrange(1500)))] ^= 1 << r.randrange(8)
        yield bytes(flipped)
    yield content[:900] + content[1800:]
    yield b"fastact table 1 999999999999999999 00000000\n"
    yield b"fastact table 2" + content[15:]


def test_damaged_files_are_one_line(trainings: dict[str, Training], tmp_path: Path) -> None:
    path = tmp_path / "m.fastact"
    trainings["two"].model.save(path)
    content = path.read_bytes()
    expected = trainings["two"].model.network.parameters.tobytes()
    refused = 0
    for each in damaged(content):
        path.write_bytes(each)
        try:
            model = TableModel.load(path)
        except ValueError as error:
            told = str(error)
            refused += 1
        else:  # bits that nothing depends on, such as dates within the archive
            assert model.network.parameters.tobytes() == expected
            continue
        assert told.startswith(f"{path}: ")
        assert "\n" not in told
    assert refused > 200


def with_text(content: bytes, change: Any) -> bytes:
    """The file with other columns and target, and a right checksum."""
    first, _, rest = content.partition(b"\n")
    length = int(first.split()[3])
    values = json.loads(rest[:length])
    text = change(values)
    text = json.dumps(values if text is None else text).encode() if not isinstance(text, bytes) else text
    return b"fastact table 1 %d %08x\n" % (len(text), zlib.crc32(text)) + text + rest[length:]


CHANGES = {
    "no object": lambda v: [],
    "deep": lambda v: b"[" * 100_000,
    "no columns": lambda v: v.pop("columns") and None,
    "no inputs": lambda v: v["columns"]["inputs"].clear(),
    "one input less": lambda v: v["columns"]["inputs"].pop() and None,
    "scale 0": lambda v: v["columns"]["inputs"][0].update(scale=0.0),
    "nan": lambda v: v["columns"]["inputs"][0].update(mean=float("nan")),
    "text for a number": lambda v: v["columns"]["inputs"][0].update(median="1"),
    "kind": lambda v: v["columns"]["inputs"][0].update(kind="picture"),
    "more": lambda v: v["columns"]["inputs"][0].update(more=1),
    "missing": lambda v: v["columns"]["inputs"][0].update(missing=-1),
    "same name": lambda v: v["columns"]["inputs"][0].update(name="colour"),
    "name": lambda v: v["columns"]["inputs"][0].update(name=[]),
    "categories": lambda v: v["columns"]["inputs"][1].update(categories=["red", 1]),
    "same categories": lambda v: v["columns"]["inputs"][1].update(categories=["red", "red"]),
    "reason": lambda v: v["columns"].update(left_out=[["a", "boring"]]),
    "task": lambda v: v["target"].update(task="regression"),
    "unknown task": lambda v: v["target"].update(task={}),
    "classes": lambda v: v["target"].update(classes=["a", "b", "c"], shares=[0.5, 0.25, 0.25], task="multi-class"),
    "shares": lambda v: v["target"].update(shares=[-1.0, 2.0]),
    "no share": lambda v: v["target"].update(shares=[]),
    "target": lambda v: v.update(target=None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_does_not_fit_together_is_refused(
    change: Any, trainings: dict[str, Training], tmp_path: Path
) -> None:
    path = tmp_path / "m.fastact"
    trainings["two"].model.save(path)
    path.write_bytes(with_text(path.read_bytes(), change))
    with pytest.raises(ValueError, match=r"m\.fastact: .*(damaged|lacks)"):
        TableModel.load(path)


def test_other_files_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.fastact"
    fa.MLP((2, 1)).save(path)
    with pytest.raises(ValueError, match="not a model of a table"):
        TableModel.load(path)
    with pytest.raises(FileNotFoundError):
        TableModel.load(tmp_path / "none")


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.fastact"
    path.write_bytes(b"old")
    frame = tidy(pandas.DataFrame({"x": [1.0, 2, 4]}))
    network = fa.MLP((1, 1), output="sigmoid")
    network.parameters[:] = np.nan
    model = TableModel(Columns.fit(frame), Target("y", "binary", ("a", "b"), shares=(0.5, 0.5)), network)
    with pytest.raises(ValueError, match=r"m\.fastact: not saved"):
        model.save(path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["m.fastact"]
