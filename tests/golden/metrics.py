"""Figures of scikit-learn, SciPy and statsmodels on random and degenerate scores; writes metrics.json beside itself.

Probabilities are multiples of 2^-20 and sum to 1 exactly, so the file's decimals are the very numbers used.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
import statsmodels
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize
from statsmodels.stats.contingency_tables import mcnemar

BINS = 15


def probabilities(rng, rows, classes, grain, sharpness=2.0):
    """Rows of multiples of 1 / grain that sum to 1: a small grain makes ties."""
    logits = rng.normal(size=(rows, classes)) * sharpness
    units = np.floor(softmax(logits, axis=1) * grain).astype(int)
    units[np.arange(rows), units.argmax(axis=1)] += grain - units.sum(axis=1)
    return units / grain


def learnable(rng, scores):
    """Labels drawn from the scores, so that they are better than chance."""
    return np.array([rng.choice(len(row), p=row) for row in scores])


def undefined(value):
    """scikit-learn's NaN is our null."""
    value = float(value)
    return None if np.isnan(value) else value


def binary_columns(labels, classes):
    if classes == 2:
        return np.stack([labels == 0, labels == 1], axis=1).astype(int)
    return label_binarize(labels, classes=range(classes))


def reliability(scores, right):
    confidence = scores.max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
    rows, sums, hits = (np.bincount(bins, weights=w, minlength=BINS) for w in (None, confidence, right))
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS) if len(set(right)) > 1 else (None, None)
    filled = rows > 0
    if accuracy is not None:  # scikit-learn's diagram has the same points, without the empty bins
        np.testing.assert_allclose(hits[filled] / rows[filled], accuracy, atol=1e-12)
        np.testing.assert_allclose(sums[filled] / rows[filled], mean, atol=1e-12)
    by_bin = [(int(n), s / max(n, 1), h / max(n, 1)) for n, s, h in zip(rows, sums, hits)]
    return [{"rows": n, "confidence": c, "accuracy": a} for n, c, a in by_bin]


def curves(target, score):
    """Points by falling threshold, none dropped; none where scikit-learn's are NaN."""
    found = {"roc": [], "precision_recall": []}
    if 0 < target.sum() < len(target):
        x, y, _ = metrics.roc_curve(target, score, drop_intermediate=False)
        found["roc"] = np.stack([x, y], axis=1).tolist()
    if target.sum() > 0:
        precision, recall, _ = metrics.precision_recall_curve(target, score)
        found["precision_recall"] = np.stack([recall, precision], axis=1)[::-1].tolist()
    return found


def figures(labels, scores, weights):
    """What scikit-learn makes of rows that each count `weights` times."""
    classes = scores.shape[1]
    every = list(range(classes))
    predicted = scores.argmax(axis=1)
    right = (predicted == labels).astype(float)
    columns = binary_columns(labels, classes)

    def retrieval(average):
        triple = metrics.precision_recall_fscore_support(
            labels, predicted, labels=every, average=average, zero_division=0, sample_weight=weights)
        return triple[:3]

    def averages(average):
        return dict(zip(("precision", "recall", "f1"), map(float, retrieval(average))))

    roc = [undefined(metrics.roc_auc_score(columns[:, c], scores[:, c], sample_weight=weights)) for c in every]
    ap = [float(metrics.average_precision_score(columns[:, c], scores[:, c], sample_weight=weights)) for c in every]
    if classes == 2:
        roc_auc, average_precision = roc[1], ap[1]
        brier = metrics.brier_score_loss(labels, scores[:, 1], sample_weight=weights, labels=every)
    else:
        roc_auc = undefined(metrics.roc_auc_score(
            labels, scores, multi_class="ovr", labels=every, sample_weight=weights))
        average_precision = metrics.average_precision_score(columns, scores, sample_weight=weights)
        brier = metrics.brier_score_loss(labels, scores, sample_weight=weights, labels=every)
    confidence = scores.max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
    gaps = np.bincount(bins, weights=weights * (right - confidence), minlength=BINS)
    per_class = zip(*retrieval(None), roc, ap)
    names = ("precision", "recall", "f1", "roc_auc", "average_precision")
    return {
        "accuracy": metrics.accuracy_score(labels, predicted, sample_weight=weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted, sample_weight=weights),
        "matthews": metrics.matthews_corrcoef(labels, predicted, sample_weight=weights),
        "roc_auc": roc_auc,
        "average_precision": float(average_precision),
        "log_loss": metrics.log_loss(labels, scores, labels=every, sample_weight=weights),
        "brier": float(brier),
        "calibration_error": float(np.abs(gaps).sum() / weights.sum()),
        "macro": averages("macro"),
        "micro": averages("micro"),
        "weighted": averages("weighted"),
        "classes": [{name: undefined(v) if v is not None else None for name, v in zip(names, row)} for row in per_class],
    }


def case(labels, scores, rng):
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    classes = scores.shape[1]
    once = np.ones(len(labels))
    drawn = np.bincount(rng.integers(0, len(labels), len(labels)), minlength=len(labels))
    predicted = scores.argmax(axis=1)
    columns = binary_columns(labels, classes)
    plain = figures(labels, scores, once)
    for one, support in zip(plain["classes"], columns.sum(axis=0)):
        one["support"] = int(support)
    return {
        "labels": labels.tolist(),
        "probabilities": scores.tolist(),
        "figures": plain,
        "confusion": metrics.confusion_matrix(labels, predicted, labels=range(classes)).tolist(),
        "reliability": reliability(scores, (predicted == labels).astype(float)),
        "curves": [curves(columns[:, c], scores[:, c]) for c in range(classes)],
        "weights": drawn.tolist(),
        "weighted_figures": figures(labels[drawn > 0], scores[drawn > 0], drawn[drawn > 0].astype(float)),
    }


def cases():
    rng = np.random.default_rng(5)
    found = {}

    def random(name, rows, classes, grain):
        scores = probabilities(rng, rows, classes, grain)
        found[name] = case(learnable(rng, scores), scores, rng)

    random("binary", 120, 2, 2**20)
    random("binary_ties", 120, 2, 8)
    random("three_classes", 120, 3, 2**20)
    random("seven_classes_ties", 150, 7, 16)
    two = probabilities(rng, 30, 2, 2**20)
    found["only_the_first_class"] = case(np.zeros(30, int), two, rng)
    found["only_the_second_class"] = case(np.ones(30, int), two, rng)
    found["constant_scores"] = case(rng.integers(0, 2, 30), np.full((30, 2), 0.5), rng)
    found["constant_and_sure"] = case(rng.integers(0, 2, 30), np.tile([0.0, 1.0], (30, 1)), rng)
    found["all_right_and_sure"] = case([0, 1, 1, 0], [[1, 0], [0, 1], [0, 1], [1, 0]], rng)
    found["all_wrong_and_sure"] = case([1, 0, 0, 1], [[1, 0], [0, 1], [0, 1], [1, 0]], rng)
    found["one_row"] = case([1], [[0.25, 0.75]], rng)
    three = probabilities(rng, 40, 3, 2**20)
    found["a_class_without_rows"] = case(rng.integers(0, 2, 40), three, rng)
    found["a_class_never_predicted"] = case(
        rng.integers(0, 3, 40), np.stack([three[:, 0] + three[:, 2], three[:, 1], 0 * three[:, 2]], axis=1), rng)
    return found


def temperatures():
    """Where the slope of the log loss in 1 / T is zero, by SciPy's root finder."""
    rng = np.random.default_rng(6)
    found = []
    for classes, scale in ((2, 3.0), (2, 0.4), (4, 2.5)):
        honest = rng.normal(size=(200, classes)) * 1.5
        if classes == 2:
            honest[:, 0] = 0
        labels = learnable(rng, softmax(honest, axis=1))
        logits = (honest * scale).astype(np.float32)
        wide = logits.astype(float)

        def slope(beta):
            p = softmax(beta * wide, axis=1)
            return ((p * wide).sum(axis=1) - wide[np.arange(200), labels]).mean()

        beta = brentq(slope, 1e-2, 1e2, xtol=1e-15, rtol=1e-14)
        found.append({"labels": labels.tolist(), "logits": wide.tolist(), "temperature": 1 / beta})
    return found


def mcnemars():
    found = []
    for b, c in ((0, 1), (1, 4), (5, 5), (10, 30), (121, 59), (700, 650), (5000, 5400), (0, 40)):
        table = [[1, b], [c, 1]]
        exact = mcnemar(table, exact=True)
        corrected = mcnemar(table, exact=False, correction=True)
        found.append({"only_first": b, "only_second": c, "exact_p": float(exact.pvalue),
                      "chi_squared": float(corrected.statistic), "chi_squared_p": float(corrected.pvalue)})
    return found


def main():
    warnings.simplefilter("ignore")  # undefined figures are what some cases are about
    golden = {
        "versions": {module.__name__: module.__version__ for module in (sklearn, scipy, statsmodels)},
        "cases": cases(),
        "temperatures": temperatures(),
        "mcnemar": mcnemars(),
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(golden['cases'])} cases")


if __name__ == "__main__":
    main()
