"""A network of your own, in the style of the book "Neural Networks from Scratch". A sweep calls the
function `train`, at the end, once per network. Change anything, or paste your own classes.
"""

import numpy as np


class Layer_Dense:  # with four penalties: L1 and L2, on the weights and on the biases
    def __init__(self, n_inputs, n_neurons, weight_l1=0, weight_l2=0, bias_l1=0, bias_l2=0):
        self.weights = np.sqrt(2 / n_inputs) * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))
        self.weight_regularizers = weight_l1, weight_l2
        self.bias_regularizers = bias_l1, bias_l2

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        l1, l2 = self.weight_regularizers
        self.dweights = self.inputs.T @ dvalues
        self.dweights += l1 * np.where(self.weights < 0, -1, 1) + 2 * l2 * self.weights
        l1, l2 = self.bias_regularizers
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dbiases += l1 * np.where(self.biases < 0, -1, 1) + 2 * l2 * self.biases
        self.dinputs = dvalues @ self.weights.T

    def regularization_loss(self):
        l1, l2 = self.weight_regularizers
        loss = l1 * np.abs(self.weights).sum() + l2 * (self.weights**2).sum()
        l1, l2 = self.bias_regularizers
        return loss + l1 * np.abs(self.biases).sum() + l2 * (self.biases**2).sum()


class Activation_ReLU:
    def forward(self, inputs):
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = np.where(self.output > 0, dvalues, 0)


class Activation_Softmax_Loss_CategoricalCrossentropy:  # together they have a simple gradient
    def forward(self, inputs):
        powers = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = powers / powers.sum(axis=1, keepdims=True)

    def loss(self, y):
        return -np.log(np.clip(self.output[range(len(y)), y], 1e-7, 1 - 1e-7)).mean()

    def backward(self, y):
        self.dinputs = (self.output - np.eye(self.output.shape[1])[y]) / len(y)


class Optimizer_Adam:
    def __init__(self, learning_rate, epsilon=1e-7, beta_1=0.9, beta_2=0.999):
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.means, self.squares, self.iterations = {}, {}, 0

    def step(self, name, gradient):  # the mean gradient, by the root of the mean of its squares
        mean = self.beta_1 * self.means.get(name, 0) + (1 - self.beta_1) * gradient
        square = self.beta_2 * self.squares.get(name, 0) + (1 - self.beta_2) * gradient**2
        self.means[name], self.squares[name] = mean, square
        mean = mean / (1 - self.beta_1**self.iterations)
        square = square / (1 - self.beta_2**self.iterations)
        return self.learning_rate * mean / (np.sqrt(square) + self.epsilon)

    def update_params(self, layers):
        self.iterations += 1
        for number, layer in enumerate(layers):
            layer.weights -= self.step(f"weights{number}", layer.dweights)
            layer.biases -= self.step(f"biases{number}", layer.dbiases)


class Network:  # anything with `predict` is one; with `arrays` too, the best one can be kept
    def __init__(self, n_inputs, hidden, n_classes, **penalties):
        self.dense1 = Layer_Dense(n_inputs, hidden, **penalties)
        self.dense2 = Layer_Dense(hidden, n_classes, **penalties)
        self.softmax = Activation_Softmax_Loss_CategoricalCrossentropy()
        self.layers = [self.dense1, Activation_ReLU(), self.dense2, self.softmax]

    def predict(self, X):  # returns the probability of each class, (rows, classes)
        for layer in self.layers:
            layer.forward(X)
            X = layer.output
        return X

    def backward(self, dvalues):
        for layer in reversed(self.layers):
            layer.backward(dvalues)
            dvalues = layer.dinputs

    def arrays(self):
        first = {"weights1": self.dense1.weights, "biases1": self.dense1.biases}
        return first | {"weights2": self.dense2.weights, "biases2": self.dense2.biases}


def load(arrays):  # makes a network from its arrays, for `sweeps predict` and MLflow
    network = Network(*arrays["weights1"].shape, arrays["biases2"].size)
    network.dense1.weights, network.dense1.biases = arrays["weights1"], arrays["biases1"]
    network.dense2.weights, network.dense2.biases = arrays["weights2"], arrays["biases2"]
    return network


def train(split, lambdas, *, seed, epochs, batch_size, learning_rate, hidden=64):
    X, y = split.x_train, split.y_train  # (rows, features), and the classes 0, 1, 2, ...
    network = Network(X.shape[1], hidden, split.classes, **vars(lambdas))
    optimizer = Optimizer_Adam(learning_rate)
    for _ in range(epochs):
        order = np.random.permutation(len(X))  # the sweep has seeded NumPy with `seed`
        for rows in np.array_split(order, -(-len(X) // batch_size)):
            network.predict(X[rows])
            network.backward(y[rows])
            optimizer.update_params([network.dense1, network.dense2])
        accuracy = (network.predict(X).argmax(axis=1) == y).mean()
        penalty = network.dense1.regularization_loss() + network.dense2.regularization_loss()
        losses = {"data_loss": network.softmax.loss(y), "regularization_loss": penalty}
        yield {**losses, "train_accuracy": accuracy, "network": network}  # once per epoch
