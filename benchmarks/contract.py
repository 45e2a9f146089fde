"""Who keeps scikit-learn's contract? `check_estimator` on skae, PyOD's AutoEncoder and encdr.

Peers run with one or two epochs, so that it takes minutes; what fails does not depend on it.

    SCIPY_ARRAY_API=1 python benchmarks/contract.py
"""

import logging
import warnings

from sklearn.utils.estimator_checks import check_estimator


def skae():
    from skae import AutoencoderTransformer

    return AutoencoderTransformer()


def pyod():
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(epoch_num=2, batch_size=8, verbose=0)


def encdr():
    from encdr import ENCDR

    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    return ENCDR(max_epochs=1, trainer_kwargs=quiet)


def main():
    warnings.simplefilter("ignore")
    print("| estimator | checks | passed | failed | skipped |\n|---|---|---|---|---|")
    for contender in (skae, pyod, encdr):
        try:
            estimator = contender()
        except ImportError:
            continue
        try:
            results = check_estimator(estimator, on_fail=None, on_skip=None)
        except RuntimeError as error:  # no check can be run at all
            print(f"| {contender.__name__} | 0 | refused: {str(error).split('.')[0]} | | |")
            continue
        count = [
            sum(result["status"] == status for result in results)
            for status in ("passed", "failed", "skipped")
        ]
        print(f"| {contender.__name__} | {len(results)} | " + " | ".join(map(str, count)) + " |")


if __name__ == "__main__":
    main()
