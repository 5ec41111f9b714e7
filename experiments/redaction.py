"""Passwords and tokens, taken out of whatever is printed or written."""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"
URL = re.compile(r"[\w+.-]+://[^\s'\"]*")
# Parameters of a URL that are shown: where a database is and how it is reached.
HARMLESS = {
    *("host", "hostaddr", "port", "dbname", "user", "service", "sslmode", "connect_timeout"),
    *("application_name", "charset", "driver", "timeout", "mode", "cache", "uri"),
}
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD", "MYSQL_PWD")
SHORTEST = 2  # characters; a single one would be taken out of every word


def masked_url(url: str) -> str:
    """Return a URL without its secrets. A database keeps its user, a server not even that."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return re.sub(r"^[^/]*:[^/]*@", f"{HIDDEN}@", url)
    address, question, query = rest.partition("?")
    if "@" in query:  # a password may hold a question mark, and a parameter an @
        return f"{scheme}://{HIDDEN}"
    login, at, place = address.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = f"{user}{colon}{HIDDEN if colon else ''}{at}" if login and "sql" in scheme else ""
    pairs = "&".join(map(_masked_pair, query.split("&")))
    return f"{scheme}://{shown}{place}{question}{pairs}"


def _masked_pair(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    if not pair or key.lower() in HARMLESS:
        return pair
    return f"{key}={HIDDEN}" if equals else HIDDEN


def redacted(text: str, *urls: str) -> str:
    """Return a text without the secrets of any URL in it, of the environment, and of `urls`.

    A driver names the host that it understood, which of `user:p@ss@host` is `ss@host`.
    """
    text = URL.sub(lambda found: masked_url(found[0]), text)
    secrets = {secret for url in urls for secret in _secrets(url)}
    secrets |= {os.environ.get(name, "") for name in VARIABLES}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def _secrets(url: str) -> Iterator[str]:
    """Yield the secrets of a URL, encoded and decoded, whole and in pieces."""
    scheme, _, rest = url.partition("://")
    user, _, password = rest.rpartition("@")[0].partition(":")
    pairs = [pair.partition("=") for pair in rest.partition("?")[2].split("&")]
    values = [value for key, _, value in pairs if key.lower() not in HARMLESS]
    for word in (password or ("" if "sql" in scheme else user), *values):
        for written in (word, unquote(word)):
            yield from (written, *re.split(r"[@:/?#&]", written))
