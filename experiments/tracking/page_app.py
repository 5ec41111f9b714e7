"""MLflow's page as `sweeps ui` serves it: open on model training, for who has never been there.

MLflow keeps in the browser whether its page is about model training or about language models, and
begins with the second, in which a trial is an "evaluation run"; and it opens a chat at the first
visit. Both are left as they are where somebody has chosen.
"""

import json

from flask import Response, request
from mlflow.server import app as pages
from mlflow.server.fastapi_app import (
    app as app,  # what MLflow is told to serve, by the entry point in pyproject.toml
)

FIRST_VISIT = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
SCRIPT = f"""<script>
  for (const [key, value] of Object.entries({json.dumps(FIRST_VISIT)}))
    if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
</script>"""


@pages.after_request
def _begin(response: Response) -> Response:
    if request.endpoint == "serve" and response.mimetype == "text/html":
        response.direct_passthrough = False  # it is a file until here
        response.set_data(response.get_data(as_text=True).replace("<head>", f"<head>{SCRIPT}", 1))
        response.headers.pop("ETag", None)
    return response
