"""scikit-learn's estimators of multi-layer perceptrons, trained by fastnn's compiled steps.

`from fastnn.sklearn import MLPClassifier, MLPRegressor` in place of `from sklearn.neural_network import ...`; needs
scikit-learn, which fastnn itself does not: `pip install scikit-learn`.
"""

from fastnn.training.optional import needed

with needed("fastnn.sklearn", "sklearn"):
    from fastnn.sklearn.classifier import MLPClassifier
    from fastnn.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
