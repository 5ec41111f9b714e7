"""The secrets: passwords and tokens, taken out of whatever is shown."""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"
URL = re.compile(r"([\w+.-]+)://([^\s'\"]*)")
# What a query may say aloud: where a database is and how it is reached. The value of anything else
# is hidden.
HARMLESS = (
    *(
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "service",
        "sslmode",
        "connect_timeout",
        "application_name",
    ),
    *("charset", "driver", "timeout", "mode", "cache", "uri"),
)
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD", "MYSQL_PWD")
SHORTEST = 2  # characters; a single one would be taken out of every word


def masked_url(url: str) -> str:
    """A URL, or what was given in place of one, without its secrets: a database keeps its user, a
    server not even that.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return re.sub(r"^[^/]*:[^/]*@", f"{HIDDEN}@", url)
    return f"{scheme}://{_shown_rest(scheme, rest)}"


def _shown_rest(scheme: str, rest: str) -> str:
    address, question, query = rest.partition("?")
    if (
        "@" in query
    ):  # a password may hold a question mark, and a parameter an @: which of them, nobody can tell
        return HIDDEN
    information, _, place = address.rpartition("@")
    user, colon, _ = information.partition(":")
    known = f"{user}{f':{HIDDEN}' if colon else ''}@" if information and "sql" in scheme else ""
    return known + place + question + "&".join(_shown_pair(pair) for pair in query.split("&"))


def _shown_pair(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return (
        pair if key.lower() in HARMLESS or not pair else f"{key if equals else ''}{equals}{HIDDEN}"
    )


def redacted(text: str, *urls: str) -> str:
    """A text without the secrets of any URL in it, of the environment, and of `urls`, wherever in
    it they stand.

    A driver names the host that it understood: of `user:p@ss@host` that is `ss@host`.
    """
    text = URL.sub(lambda found: masked_url(found[0]), text)
    secrets = {secret for url in urls for secret in _secrets(url)} | {
        os.environ.get(name, "") for name in VARIABLES
    }
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def _secrets(url: str) -> Iterator[str]:
    """The secrets of a URL as they are written and as they are meant, whole and in the pieces that
    a reader may make of them.
    """
    scheme, _, rest = url.partition("://")
    information = rest.rpartition("@")[0]
    user, _, password = information.partition(":")
    pairs = [pair.partition("=") for pair in rest.partition("?")[2].split("&")]
    words = [
        password or ("" if "sql" in scheme else user),
        *(value for key, _, value in pairs if key.lower() not in HARMLESS),
    ]
    for word in words:
        for written in (word, unquote(word)):
            yield written
            yield from re.split(r"[@:/?#&]", written)
