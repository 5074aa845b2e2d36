"""Write docs/settings.md from ``Settings`` and from the table of other variables below. ``make settings`` runs it."""

from pathlib import Path

from pydantic.fields import FieldInfo

from realframe.files import write_text
from realframe.settings import Settings

PAGE = Path("docs") / "settings.md"
COMMAND_LINE = {
    "REALFRAME_REVIEWER": "the account that decides, where it is not the login name: `realframe registry approve --reviewer`",
    "REALFRAME_PASSWORD": "its password, where it is not asked for at the terminal",
}
TESTS = {
    "REALFRAME_FIELD_DATA": "folder with real media and a `MANIFEST.csv`, for `make field` and the tests that need it",
    "REALFRAME_FIELD_SOURCES": "folder with media of many small sources and a `MANIFEST.csv`, for `make field`",
    "REALFRAME_CHROMIUM": "the Chromium program for the browser tests and `make pictures`; default: the system's",
}
INTERNAL = {
    "REALFRAME_ERROR_FILE": "set by realframe for the stages of a run: where a stage writes the error that ends it; not to be set by users",
    "REALFRAME_PROCESS_MARKS": "set by realframe in the processes that it starts, so that it finds and ends them; not to be set by users",
}
COMPOSE = {
    "REALFRAME_UID": "user id of the containers (docker-compose.yml); default: 1000",
    "REALFRAME_GID": "group id of the containers (docker-compose.yml); default: 1000",
}
OTHER_PROGRAMS = {
    "MLFLOW_TRACKING_USERNAME": "account of an MLflow server with accounts (MLflow's own variable)",
    "MLFLOW_TRACKING_PASSWORD": "its password (MLflow's own variable)",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "seconds after which a request to an MLflow server fails; default: 30 (MLflow's own variable)",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "how often a failed request is repeated; default: 1 (MLflow's own variable)",
    "NO_PROXY": "hosts that are not asked through the proxy of `HTTP_PROXY`; this machine's own names are added where a proxy is set",
    "SSL_CERT_FILE": "file of the certificates that are trusted; default: those of the system",
    "REQUESTS_CA_BUNDLE": "the same for MLflow alone; default: those of `SSL_CERT_FILE`",
    "AWS_CA_BUNDLE": "the same for S3 alone; default: those of `SSL_CERT_FILE`",
    "TMPDIR": "folder of temporary files; default: `/tmp`",
    "KERAS_HOME": "where Keras keeps the weights that it downloads; default: `~/.keras`",
}


def page() -> str:
    """Return docs/settings.md."""
    fields = {_variable(name, field): field for name, field in Settings.model_fields.items()}
    rows = [f"| `{name}` | {_meaning(field)} | {_default(field)} |" for name, field in fields.items()]
    return "\n".join(
        [
            "# Settings",
            "",
            "Written by `make settings` from `src/realframe/settings.py`; a test compares the two.",
            "Settings differ from machine to machine and come from environment variables, or else from the file `settings.env` in the",
            "state folder, which `realframe dagshub connect` writes. They never change a result: what does is in `params.yaml`.",
            "",
            "| variable | meaning | default |",
            "| --- | --- | --- |",
            *rows,
            *_section("At the command line", COMMAND_LINE),
            *_section("For tests and benchmarks", TESTS),
            *_section("For docker-compose.yml", COMPOSE),
            *_section("Of other programs", OTHER_PROGRAMS),
            *_section("Internal", INTERNAL),
            "",
        ]
    )


def _section(title: str, variables: dict[str, str]) -> list[str]:
    return [
        "",
        f"## {title}",
        "",
        "| variable | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {text} |" for name, text in variables.items()),
    ]


def _variable(name: str, field: FieldInfo) -> str:
    return str(field.validation_alias) if field.validation_alias else f"REALFRAME_{name.upper()}"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").partition("; default: ")[0]


def _default(field: FieldInfo) -> str:
    """Return what the description says after ``default:``, else the value of the field."""
    text = (field.description or "").partition("; default: ")[2]
    return text or ("none" if field.default is None else f"`{field.default}`")


if __name__ == "__main__":
    write_text(PAGE, page())
    print(f"wrote {PAGE}")
