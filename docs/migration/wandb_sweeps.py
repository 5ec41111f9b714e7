import wandb
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

x, x_val, y, y_val = train_test_split(*load_wine(return_X_y=True), test_size=0.2, random_state=0)
scaler = StandardScaler().fit(x)


def train():
    with wandb.init() as run:
        model = MLPClassifier((64,), alpha=run.config.alpha, max_iter=1000, random_state=0)
        model.fit(scaler.transform(x), y)
        run.log({"val_accuracy": model.score(scaler.transform(x_val), y_val)})


if __name__ == "__main__":
    config = {
        "method": "bayes",
        "metric": {"name": "val_accuracy", "goal": "maximize"},
        "parameters": {"alpha": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-1}},
    }
    sweep_id = wandb.sweep(config, project="wine")
    wandb.agent(sweep_id, function=train, count=32)
