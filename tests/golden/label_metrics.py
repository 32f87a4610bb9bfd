"""Figures of scikit-learn for texts of any number of labels; writes label_metrics.json beside itself.

Probabilities are multiples of 1 / grain, so the file's decimals are the very numbers used.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics


def undefined(value):
    """scikit-learn's NaN is our null."""
    value = float(value)
    return None if np.isnan(value) else value


def figures(truth, scores, threshold, weights):
    """What scikit-learn makes of rows that each count `weights` times."""
    labels = range(truth.shape[1])
    given = (scores >= threshold).astype(int)

    def retrieval(average):
        return metrics.precision_recall_fscore_support(
            truth, given, average=average, zero_division=0, sample_weight=weights)[:3]

    def averages(average):
        return dict(zip(("precision", "recall", "f1"), map(float, retrieval(average))))

    def over_labels(of):
        values = [of(truth[:, label], scores[:, label], sample_weight=weights) for label in labels]
        return undefined(np.mean(values))

    roc = metrics.roc_auc_score(truth, scores, average=None, sample_weight=weights)
    precision = metrics.average_precision_score(truth, scores, average=None, sample_weight=weights)
    per_label = zip(*retrieval(None), np.atleast_1d(roc), np.atleast_1d(precision))
    names = ("precision", "recall", "f1", "roc_auc", "average_precision")
    return {
        "accuracy": metrics.accuracy_score(truth, given, sample_weight=weights),
        "hamming_loss": metrics.hamming_loss(truth, given, sample_weight=weights),
        "balanced_accuracy": None,
        "matthews": None,
        "calibration_error": None,
        "roc_auc": undefined(metrics.roc_auc_score(truth, scores, sample_weight=weights)),
        "average_precision": float(metrics.average_precision_score(truth, scores, sample_weight=weights)),
        "log_loss": over_labels(lambda y, p, sample_weight: metrics.log_loss(
            y, p, labels=[0, 1], sample_weight=sample_weight)),
        "brier": over_labels(lambda y, p, sample_weight: metrics.brier_score_loss(
            y, p, labels=[0, 1], sample_weight=sample_weight)),
        "macro": averages("macro"),
        "micro": averages("micro"),
        "weighted": averages("weighted"),
        "classes": [{name: undefined(value) for name, value in zip(names, row)} for row in per_label],
    }


def case(truth, scores, threshold, rng):
    truth, scores = np.asarray(truth, int), np.asarray(scores, float)
    rows = len(truth)
    drawn = np.bincount(rng.integers(0, rows, rows), minlength=rows)
    plain = figures(truth, scores, threshold, np.ones(rows))
    for one, support in zip(plain["classes"], truth.sum(axis=0)):
        one["support"] = int(support)
    return {
        "labels": [np.flatnonzero(row).tolist() for row in truth],
        "probabilities": scores.tolist(),
        "threshold": threshold,
        "figures": plain,
        "weights": drawn.tolist(),
        "weighted_figures": figures(truth[drawn > 0], scores[drawn > 0], threshold, drawn[drawn > 0].astype(float)),
    }


def cases():
    rng = np.random.default_rng(7)
    found = {}

    def random(name, rows, labels, grain, threshold=0.5, edit=lambda truth, scores: None):
        scores = np.round(rng.random((rows, labels)) ** 2 * grain) / grain
        truth = (rng.random((rows, labels)) < scores).astype(int)
        edit(truth, scores)
        found[name] = case(truth, scores, threshold, rng)

    def fill(what, at, value):
        def edit(truth, scores):
            (truth if what == "truth" else scores)[at] = value
        return edit

    random("three_labels", 120, 3, 2**20)
    random("seven_labels_ties", 150, 7, 8)
    random("two_labels", 60, 2, 2**20)
    random("low_threshold", 80, 4, 2**20, threshold=0.125)
    random("a_label_no_text_has", 60, 3, 2**20, edit=fill("truth", np.s_[:, 1], 0))
    random("a_label_every_text_has", 60, 3, 2**20, edit=fill("truth", np.s_[:, 1], 1))
    random("no_labels_at_all", 30, 3, 2**20, edit=fill("truth", np.s_[:], 0))
    random("a_label_never_given", 60, 3, 2**20, edit=fill("scores", np.s_[:, 2], 0.25))
    random("constant_scores", 40, 3, 2**20, edit=fill("scores", np.s_[:], 0.5))
    random("sure", 40, 3, 1)
    found["all_right_and_sure"] = case([[1, 0], [0, 1], [1, 1], [0, 0]], [[1, 0], [0, 1], [1, 1], [0, 0]], 0.5, rng)
    found["all_wrong_and_sure"] = case([[1, 0], [0, 1], [1, 1], [0, 0]], [[0, 1], [1, 0], [0, 0], [1, 1]], 0.5, rng)
    found["one_row"] = case([[1, 0, 1]], [[0.75, 0.25, 0.25]], 0.5, rng)
    return found


def main():
    warnings.simplefilter("ignore")  # undefined figures are what some cases are about
    golden = {"sklearn": sklearn.__version__, "cases": cases()}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(golden['cases'])} cases")


if __name__ == "__main__":
    main()
