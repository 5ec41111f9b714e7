from ray import tune
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler


def train(config):
    x, x_val, y, y_val = train_test_split(
        *load_wine(return_X_y=True), test_size=0.2, random_state=0
    )
    scaler = StandardScaler().fit(x)
    model = MLPClassifier((64,), alpha=config["alpha"], max_iter=1000, random_state=0)
    model.fit(scaler.transform(x), y)
    tune.report({"val_accuracy": model.score(scaler.transform(x_val), y_val)})


if __name__ == "__main__":
    tuner = tune.Tuner(
        train,
        param_space={"alpha": tune.loguniform(1e-6, 1e-1)},
        tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", num_samples=32),
    )
    results = tuner.fit()
    print(results.get_best_result().config, results.get_best_result().metrics["val_accuracy"])
