"""Writes analysis/*.safetensors: what scikit-learn, SciPy and others find, in float64.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 kmedoids==0.5.5 pandas==3.1.1 \\
        scikit-image==0.26.0 safetensors==0.8.0
    python analysis.py

Names are <case>.<what>; whole numbers are int32.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).with_name("analysis")


def save(name, tensors):
    def stored(value):
        value = np.asarray(value)
        kind = np.int32 if value.dtype.kind in "iub" else np.float64
        return np.array(value, dtype=kind, order="C")

    save_file({key: stored(value) for key, value in tensors.items()}, str(FOLDER / f"{name}.safetensors"))


def clusters():
    """Lloyd's steps from given centroids, medoids, and the best places for points."""
    import kmedoids
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    out = {}
    random = np.random.default_rng(1)
    for name, (count, width, k) in {"small": (17, 3, 4), "wide": (60, 7, 5), "line": (23, 1, 3)}.items():
        points = random.normal(size=(count, width)) + 2 * random.integers(0, 3, (count, 1))
        start = points[random.permutation(count)[:k]]
        weights = random.uniform(0.1, 3, count)
        out |= {f"{name}.points": points, f"{name}.start": start, f"{name}.weights": weights}
        for form, sample in {"even": None, "weighted": weights}.items():
            found = KMeans(k, init=start, n_init=1, tol=0, algorithm="lloyd").fit(points, sample_weight=sample)
            out |= {
                f"{name}.{form}.centroids": found.cluster_centers_,
                f"{name}.{form}.assignment": found.labels_,
                f"{name}.{form}.inertia": found.inertia_,
            }
        distances = cdist(points, points)
        found = kmedoids.pam(distances, k, max_iter=100, init="build")
        out |= {f"{name}.distances": distances, f"{name}.medoids": np.sort(found.medoids), f"{name}.loss": found.loss}
        # Sizes that are even: each group so many columns, those beyond the least one only as far as needed.
        cost = cdist(points, start, "sqeuclidean")
        least, more = divmod(count, k)
        slots = np.repeat(np.arange(k), least + (more > 0))
        isExtra = np.tile(np.arange(least + (more > 0)) >= least, k)
        table = cost[:, slots] + np.where(isExtra, 1e4, 0)
        rows, columns = linear_sum_assignment(table)
        out[f"{name}.balanced"] = cost[rows, slots[columns]].sum()
    save("clusters", out)


def regression():
    """Ridge, lasso, logistic regression, partial least squares, non-negative least squares."""
    from scipy.optimize import nnls
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeCV
    from sklearn.model_selection import KFold

    out = {}
    random = np.random.default_rng(2)
    alphas = np.array([0.01, 0.3, 1, 10, 300])
    for name, (points, features, targets) in {"tall": (31, 5, 3), "square": (12, 12, 2), "wide": (14, 40, 3)}.items():
        x = random.normal(size=(points, features)) * random.uniform(0.3, 3, features) + random.normal(size=features)
        y = x @ random.normal(size=(features, targets)) + random.normal(size=(points, targets)) * [1, 5, 20][:targets] + 3
        out |= {f"{name}.x": x, f"{name}.y": y}
        for form, free in {"free": True, "through": False}.items():
            each = alphas[:targets] * 3
            model = Ridge(alpha=each, fit_intercept=free, solver="svd").fit(x, y)
            out |= {f"{name}.{form}.ridge": model.coef_.T, f"{name}.{form}.intercepts": np.broadcast_to(model.intercept_, targets)}
            left = RidgeCV(alphas, fit_intercept=free, alpha_per_target=True, store_cv_results=True).fit(x, y)
            out |= {
                f"{name}.{form}.leftOut": left.cv_results_.mean(0).T,
                f"{name}.{form}.chosen": left.alpha_,
            }
        # Nested: folds choose among the other folds.
        labels = np.concatenate([np.full(len(held), fold) for fold, (_, held) in enumerate(KFold(4).split(x))])
        predictions, errors, chosen = np.zeros_like(y), np.zeros((len(alphas), targets)), []

        def foldErrors(points):
            sums = np.zeros((len(alphas), targets))
            for label in np.unique(labels[points]):
                known, held = points[labels[points] != label], points[labels[points] == label]
                for i, alpha in enumerate(alphas):
                    model = Ridge(alpha=alpha, solver="svd").fit(x[known], y[known])
                    sums[i] += ((y[held] - model.predict(x[held])) ** 2).sum(0)
            return sums / len(points)

        for label in range(4):
            known = np.flatnonzero(labels != label)
            best = alphas[foldErrors(known).argmin(0)]
            chosen.append(best)
            model = Ridge(alpha=best, solver="svd").fit(x[known], y[known])
            predictions[labels == label] = model.predict(x[labels == label])
        out |= {
            f"{name}.folds": labels, f"{name}.foldErrors": foldErrors(np.arange(points)),
            f"{name}.nested": predictions, f"{name}.nestedChosen": np.array(chosen),
        }
        centred, deviations = x - x.mean(0), y - y.mean(0)
        largest = np.abs(centred.T @ deviations).max() / points
        path = largest * np.array([0.9, 0.5, 0.2, 0.05])
        out[f"{name}.lassoPenalties"] = path
        out[f"{name}.lasso"] = np.array([
            np.atleast_2d(Lasso(alpha=a, tol=1e-14, max_iter=10**6).fit(x, y).coef_).T for a in path])
        for scales in [False, True]:
            model = PLSRegression(3, scale=scales, tol=1e-24, max_iter=100000).fit(x, y)
            out[f"{name}.pls{'Scaled' if scales else ''}"] = model.coef_.T
            out[f"{name}.pls{'Scaled' if scales else ''}Predictions"] = model.predict(x)
        solution, residual = nnls(x, y[:, 0])
        out |= {f"{name}.nonNegative": solution, f"{name}.residual": residual}
        classes = 2 if name == "square" else 3
        labels = random.integers(0, classes, points)
        labels[:classes] = np.arange(classes)
        penalty = 0.05
        if classes > 2:
            model = LogisticRegression(C=1 / (points * penalty), tol=1e-12, max_iter=100000, solver="newton-cg").fit(x, labels)
            coefficients, intercepts = model.coef_.T, model.intercept_
        else:
            # Two classes by one plane: half of it for each, whose penalty is half that of the plane.
            model = LogisticRegression(C=2 / (points * penalty), tol=1e-12, max_iter=100000, solver="newton-cg").fit(x, labels)
            coefficients = np.stack([-model.coef_[0], model.coef_[0]], 1) / 2
            intercepts = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
        out |= {f"{name}.labels": labels, f"{name}.logistic": coefficients, f"{name}.logisticIntercepts": intercepts}
    out["alphas"] = alphas
    save("regression", out)


def embeddings():
    """Principal components, scaling, the Laplacian of a graph, and t-SNE from one start."""
    from scipy.optimize import brentq
    from scipy.sparse.csgraph import laplacian
    from scipy.spatial.distance import cdist, pdist, squareform
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.manifold._t_sne import _gradient_descent, _kl_divergence

    out = {}
    random = np.random.default_rng(3)
    for name, (count, width, kept) in {"tall": (25, 6, 3), "wide": (8, 30, 7), "line": (9, 1, 1)}.items():
        points = random.normal(size=(count, width)) @ random.normal(size=(width, width)) + 3
        model = PCA(kept, svd_solver="full").fit(points)
        white = PCA(kept, svd_solver="full", whiten=True).fit_transform(points)
        sign = np.sign(model.components_[np.arange(kept), np.abs(model.components_).argmax(1)])
        out |= {
            f"{name}.points": points, f"{name}.components": model.components_ * sign[:, None],
            f"{name}.variances": model.explained_variance_, f"{name}.shares": model.explained_variance_ratio_,
            f"{name}.scores": model.transform(points) * sign, f"{name}.white": white * sign,
        }
    # Distances that no flat space has.
    points = random.normal(size=(11, 3))
    distances = cdist(points, points, "cityblock")
    centre = np.eye(11) - 1 / 11
    out |= {
        "scaling.distances": distances,
        "scaling.eigenvalues": np.linalg.eigvalsh(-0.5 * centre @ distances**2 @ centre)[::-1],
    }
    affinities = random.uniform(0, 1, (13, 13))
    affinities = affinities + affinities.T
    out |= {
        "graph.affinities": affinities,
        # With every edge to itself counted, which SciPy's Laplacian leaves out.
        "graph.eigenvalues": np.linalg.eigvalsh(
            np.eye(13) - affinities / np.sqrt(np.outer(affinities.sum(0), affinities.sum(0)))),
    }
    points = np.concatenate([random.normal(size=(15, 5)) + 4 * random.normal(size=5) for _ in range(3)])
    start = random.normal(size=(45, 2)) * 1e-4
    perplexity = 9

    def shares(row):
        def entropy(logBeta):
            p = np.exp(-np.exp(logBeta) * (row - row.min()))
            p /= p.sum()
            return -(p[p > 0] * np.log(p[p > 0])).sum() - np.log(perplexity)

        p = np.exp(-np.exp(brentq(entropy, -20, 10, xtol=1e-14)) * (row - row.min()))
        return p / p.sum()

    squares = cdist(points, points, "sqeuclidean")
    p = np.zeros((45, 45))
    for i in range(45):
        p[i, np.arange(45) != i] = shares(np.delete(squares[i], i))
    p = (p + p.T) / 90
    condensed = squareform(p)
    kl, gradient = _kl_divergence((1e4 * start).ravel(), condensed, 1, 45, 2)
    out |= {
        "tsne.points": points, "tsne.start": start, "tsne.joint": p,
        "tsne.divergence": kl, "tsne.gradient": gradient.reshape(45, 2),
    }
    early, _, _ = _gradient_descent(
        _kl_divergence, start.ravel(), 0, 12, momentum=0.5, learning_rate=50,
        args=[12 * condensed, 1, 45, 2], min_grad_norm=0)
    out["tsne.early"] = early.reshape(45, 2)
    # Rounding decides which minimum is found: starts that differ in the ninth digit end apart.
    out["tsne.finals"] = np.array([
        TSNE(2, perplexity=perplexity, init=start * (1 + 1e-9 * k), method="exact", max_iter=1000)
        .fit(points).kl_divergence_ for k in range(8)])
    save("embeddings", out)


def signals():
    """Filters, spectra, analytic signals, other rates, scalers: scipy.signal, pandas, scikit-learn."""
    import pandas
    from scipy import signal
    from sklearn.preprocessing import RobustScaler

    out = {}
    random = np.random.default_rng(4)
    x = np.cumsum(random.normal(size=(2, 301)), 1) * 0.2 + random.normal(size=(2, 301))
    y = np.roll(x, 3, 1) + random.normal(size=(2, 301))
    rate = 128.0
    frequencies = np.array([0, 0.7, 3, 8, 12.5, 20, 31, 50, 63, 64])
    out |= {"x": x, "y": y, "frequencies": frequencies}
    for kind, edges in {"lowpass": 20.0, "highpass": 5.0, "bandpass": [8.0, 12.5], "bandstop": [10.0, 30.0]}.items():
        for order in [1, 2, 3, 4, 7]:
            sections = signal.butter(order, edges, kind, fs=rate, output="sos")
            name = f"{kind}{order}"
            _, gains = signal.sosfreqz(sections, frequencies, fs=rate)
            out |= {
                f"{name}.gains": np.abs(gains), f"{name}.forward": signal.sosfilt(sections, x),
                f"{name}.both": signal.sosfiltfilt(sections, x),
            }
    b, a = signal.iirnotch(50, 25, fs=rate)
    out |= {"notch.gains": np.abs(signal.freqz(b, a, frequencies, fs=rate)[1]), "notch.forward": signal.lfilter(b, a, x)}
    spectrum = np.fft.rfft(x)
    spectrum[:, (np.fft.rfftfreq(301, 1 / rate) < 8) | (np.fft.rfftfreq(301, 1 / rate) > 12.5)] = 0
    out["fourier"] = np.fft.irfft(spectrum, 301)
    for name, (length, overlap) in {"even": (64, None), "odd": (51, 20), "whole": (301, 0)}.items():
        f, density = signal.welch(x, rate, nperseg=length, noverlap=overlap)
        out |= {f"welch.{name}.frequencies": f, f"welch.{name}": density}
        out[f"coherence.{name}"] = signal.coherence(x, y, rate, nperseg=length, noverlap=overlap)[1]
    out["welch.raw"] = signal.welch(x, rate, nperseg=64, detrend=False)[1]
    for length in [300, 301]:
        analytic = signal.hilbert(x[:, :length])
        out[f"analytic{length}"] = np.stack([analytic.real, analytic.imag], -1)
    for length in [300, 301]:
        for count in [1, 7, 100, 151, 299, 300, 301, 302, 450, 601]:
            out[f"fourier{length}to{count}"] = signal.resample(x[:, :length], count, axis=1)
    for up, down in [(1, 2), (3, 1), (2, 3), (5, 4), (7, 10), (6, 9), (160, 147), (4, 4)]:
        out[f"polyphase{up}to{down}"] = signal.resample_poly(x, up, down, axis=1)
    times = np.sort(random.uniform(0, 10, 301))
    places = random.uniform(-1, 11, 77)
    out |= {"linear.times": times, "linear.places": places}
    out["linear"] = np.stack([np.interp(places, times, row) for row in x])
    centred = x - x.mean(1, keepdims=True)
    out["autocorrelation"] = np.stack([np.correlate(row, row, "full")[300:321] / (row**2).sum() for row in centred])
    moving = pandas.DataFrame(x.T).ewm(alpha=0.07, adjust=False)
    out |= {"moving.means": moving.mean().to_numpy().T, "moving.variances": moving.var(bias=True).to_numpy().T}
    out["robust"] = RobustScaler().fit_transform(x.T).T
    save("signals", out)


def statistics():
    """Correlations, exact permutation tests, the bootstrap's ends, power laws, denoised images."""
    from scipy import sparse, stats
    from scipy.optimize import lsq_linear, minimize_scalar
    from skimage.restoration import denoise_tv_chambolle

    out = {}
    random = np.random.default_rng(5)
    for name, count in {"few": 7, "many": 40, "ties": 25}.items():
        a = random.normal(size=count)
        b = 0.6 * a + random.normal(size=count)
        if name == "ties":
            a, b = np.round(a), np.round(b)
        values = [stats.pearsonr(a, b).statistic, stats.spearmanr(a, b).statistic, stats.kendalltau(a, b).statistic]
        z = stats.norm.ppf(0.95)
        widths = [1 / (count - 3), (1 + values[1] ** 2 / 2) / (count - 3), 0.437 / (count - 4)]
        ends = [np.tanh(np.arctanh(r) + np.array([-z, z]) * np.sqrt(w)) for r, w in zip(values, widths)]
        interval = stats.pearsonr(a, b).confidence_interval(0.9)
        assert np.allclose(ends[0], interval)
        out |= {f"{name}.a": a, f"{name}.b": b, f"{name}.values": values, f"{name}.ends": np.array(ends)}
    probabilities = np.array([1e-300, 1e-12, 0.001, 0.025, 0.3, 0.5, 0.7, 0.975, 1 - 1e-9])
    out |= {"normal.probabilities": probabilities, "normal.quantiles": stats.norm.ppf(probabilities)}

    def mean(x, axis):
        return np.mean(x, axis=axis)

    differences = random.normal(size=9) + 0.5
    a, b = random.normal(size=5) + 0.8, random.normal(size=6)
    out |= {
        "signs.differences": differences,
        "signs.probability": stats.permutation_test((differences,), mean, permutation_type="samples", n_resamples=np.inf).pvalue,
        "groups.a": a, "groups.b": b,
        "groups.probability": (np.abs(stats.permutation_test(
            (a, b), lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis), n_resamples=np.inf,
        ).null_distribution) >= abs(a.mean() - b.mean()) * (1 - 1e-12)).mean(),
    }
    skewed = random.gamma(1.5, size=30)
    found = stats.bootstrap((skewed,), np.var, n_resamples=200000, method="BCa", rng=np.random.default_rng(6))
    plain = stats.bootstrap((skewed,), np.var, n_resamples=200000, method="percentile", rng=np.random.default_rng(6))
    out |= {
        "bootstrap.values": skewed, "bootstrap.accelerated": np.array(found.confidence_interval),
        "bootstrap.plain": np.array(plain.confidence_interval), "bootstrap.error": plain.standard_error,
    }

    # A tail behind a body, and an exact tail.
    values = np.concatenate([random.pareto(1.7, 300) + 1, random.uniform(0.2, 1, 150)])
    given = np.sort(values[values >= 1])
    exponent = 1 + len(given) / np.log(given).sum()
    ks = stats.kstest(given, lambda x: 1 - x ** (1 - exponent)).statistic
    best = None
    for least in np.unique(values):
        tail = values[values >= least]
        if len(tail) < 10:
            break
        alpha = 1 + len(tail) / np.log(tail / least).sum()
        distance = stats.kstest(tail, lambda x: 1 - (x / least) ** (1 - alpha)).statistic
        if best is None or distance < best[1]:
            best = (alpha, distance, least, len(tail))
    out |= {"law.values": values, "law.given": np.array([exponent, ks]), "law.chosen": np.array(best)}
    x = 2.0 ** np.arange(5, 14)
    y = (3 * x**-0.45 + 0.12) * np.exp(0.01 * random.normal(size=9))

    def rest(floor):
        slope, start = np.polyfit(np.log(x), np.log(y - floor), 1)
        return ((np.log(y) - np.log(np.exp(start) * x**slope + floor)) ** 2).sum(), slope, start

    floor = minimize_scalar(lambda f: rest(f)[0], bounds=(0, y.min() * 0.999), options={"xatol": 1e-12}).x
    _, slope, start = rest(floor)
    out |= {"curve.x": x, "curve.y": y, "curve.found": np.array([np.exp(start), -slope, floor])}
    slope, start = np.polyfit(np.log(x), np.log(y), 1)
    out["curve.line"] = np.array([np.exp(start), -slope, stats.pearsonr(np.log(x), np.log(y)).statistic ** 2])

    image = np.zeros((9, 12))
    image[2:6, 3:9] = 1
    image += 0.2 * random.normal(size=image.shape)
    out["image"] = image
    out["image.isotropic"] = denoise_tv_chambolle(image, weight=0.25, eps=0, max_num_iter=200000)

    def steps(count):
        return sparse.eye(count - 1, count, 1) - sparse.eye(count - 1, count)

    # The dual of the other form is least squares in a box.
    all = sparse.vstack([sparse.kron(steps(9), sparse.eye(12)), sparse.kron(sparse.eye(9), steps(12))]).toarray()
    dual = lsq_linear(all.T, image.ravel() / 0.25, (-1, 1), method="bvls", tol=1e-15, max_iter=10000).x
    out["image.anisotropic"] = image - 0.25 * (all.T @ dual).reshape(image.shape)
    save("statistics", out)


if __name__ == "__main__":
    for file in [clusters, regression, embeddings, signals, statistics]:
        file()
