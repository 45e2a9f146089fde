"""skops stores whole pipelines, and is told whom to trust."""

import numpy as np
import pytest
import skops.io
from conftest import public_estimators, tiny
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae


@pytest.mark.parametrize("Estimator", public_estimators())
def test_skops_stores_pipelines(Estimator, blobs):
    y = blobs[:, 0] > 0
    model = make_pipeline(StandardScaler(), tiny(Estimator), LogisticRegression()).fit(blobs, y)
    data = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=data)
    assert set(untrusted) <= set(skae.io.trusted_types())
    loaded = skops.io.loads(data, trusted=skae.io.trusted_types())
    assert_array_equal(loaded.predict_proba(blobs), model.predict_proba(blobs))
    assert_array_equal(loaded[1].score_samples(blobs), model[1].score_samples(blobs))


def test_every_trusted_type_is_one_of_skae():
    names = skae.io.trusted_types()
    assert all(name.startswith(("skae.autoencoders.", "skae.outliers.")) for name in names)
    assert len(set(names)) == len(names) == len(public_estimators()) + 1  # the detector


def test_without_trust_skops_refuses(blobs):
    data = skops.io.dumps(tiny(skae.VAETransformer).fit(blobs))
    with pytest.raises(TypeError, match="Untrusted types"):
        skops.io.loads(data)


def test_skops_stores_frames_names(blobs):
    import pandas as pd

    model = tiny(skae.VAETransformer).fit(pd.DataFrame(blobs, columns=list("abcd")))
    loaded = skops.io.loads(skops.io.dumps(model), trusted=skae.io.trusted_types())
    assert_array_equal(loaded.feature_names_in_, model.feature_names_in_)
    assert np.isfinite(loaded.score(pd.DataFrame(blobs, columns=list("abcd"))))
