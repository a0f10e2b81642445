"""The docstrings of both estimators, which differ in little."""

from __future__ import annotations

_TEXT = """A multi-layer perceptron as a {what}, trained by fastnn's compiled steps.

The parameters, defaults, fitted attributes, methods, messages and rules of stopping are those of
`sklearn.neural_network.{name}`, whose documentation describes them. With the same `random_state` the initial weights,
the batches and the rows of validation are the same as there. With "sgd" the fitted weights are too, but for rounding;
with "adam" they are not, for epsilon is added after the bias is corrected, and not before: predictions mostly agree.
Rows of float32 are computed in float32, in half the time of float64, others in float64. Processes of joblib use as many
threads each as it tells them to.

Further values of parameters, and further parameters, which change nothing by default:

activation : "identity", "logistic", "tanh", "relu", and all others of `fastnn.MLP`, with their numbers, as
    ("leaky_relu", 0.2), or in a list with one for each hidden layer.
solver : "lbfgs", "sgd", "adam"; another optimizer of fastnn by its name, "adamw", "nadam", "radam", "adamax",
    "adagrad", "adadelta", "rmsprop" or "lion", with `learning_rate_init` and otherwise its defaults; or a
    `fastnn.Optimizer`, of which each fit uses a copy, with its own learning rate or schedule.
{loss}
dropout : the fraction of a hidden layer's outputs that a training step drops, one number or a list with one for each
    hidden layer; not with "lbfgs".
input_dropout : the same for the features.
l1 : the strength of the penalty Σ|w|, which as `alpha` is divided by the number of rows of the batch.

What differs:

- `epsilon` is added to Adam's root after the correction of its bias, as in PyTorch; scikit-learn adds it before.
- Rows of weight 0 are left out, and weights below 0 are refused.
- A `momentum` of 1 is refused.
- With several outputs scikit-learn's squared error is the mean over them where it is reported, and the sum in the
  gradient. Here `loss_` is what is minimised, over the number of outputs, penalty included, and "lbfgs" follows the
  gradient of the loss that it is given.

{methods}
"""

CLASSIFIER = _TEXT.format(
    what="classifier",
    name="MLPClassifier",
    loss="""loss : "log_loss", the cross-entropy, as in scikit-learn; or a loss of fastnn of classes, as `loss` of
    `fastnn.MLP`: ("softmax_cross_entropy", {"label_smoothing": 0.1}) and "kl_divergence", of two classes or more;
    "sigmoid_cross_entropy", of two classes or of several labels a row; "hinge" and "squared_hinge", of any, of more
    than two classes each against the others. With the last two there are no probabilities.""",
    methods="""predict(X) returns classes (n,), or 0 and 1 for each output (n, outputs) of several labels a row;
predict_proba(X) probabilities (n, classes) in the order of `classes_`, predict_log_proba(X) their logarithms;
score(X, y) the accuracy.""",
)

REGRESSOR = _TEXT.format(
    what="regressor",
    name="MLPRegressor",
    loss="""loss : "squared_error" or "poisson", as in scikit-learn; or a loss of fastnn of values or rates, as
    `loss` of `fastnn.MLP`: "mean_absolute_error", ("huber", 2.0), "log_cosh".""",
    methods="predict(X) returns the values (n,), or (n, outputs) where y had several; score(X, y) their R².",
)
