import keras
import keras_tuner
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

x, x_val, y, y_val = train_test_split(*load_wine(return_X_y=True), test_size=0.2, random_state=0)
scaler = StandardScaler().fit(x)


def build(hp):
    l1 = hp.Float("weight_l1", 1e-6, 1e-1, sampling="log")
    l2 = hp.Float("weight_l2", 1e-6, 1e-1, sampling="log")
    penalty = keras.regularizers.L1L2(l1=l1, l2=l2)
    model = keras.Sequential(
        [
            keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty),
            keras.layers.Dense(3, activation="softmax", kernel_regularizer=penalty),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    tuner = keras_tuner.BayesianOptimization(
        build, objective="val_accuracy", max_trials=32, project_name="wine"
    )
    tuner.search(
        scaler.transform(x),
        y,
        validation_data=(scaler.transform(x_val), y_val),
        epochs=30,
        verbose=0,
    )
    print(tuner.get_best_hyperparameters()[0].values)
