from scipy.stats import loguniform
from sklearn.datasets import load_wine
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

x, x_test, y, y_test = train_test_split(*load_wine(return_X_y=True), test_size=0.2, random_state=0)
model = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=1000, random_state=0))
space = {"mlpclassifier__alpha": loguniform(1e-6, 1e-1)}
search = RandomizedSearchCV(model, space, n_iter=8, cv=3, random_state=0)
search.fit(x, y)
print(search.best_params_, search.score(x_test, y_test))
