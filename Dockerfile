# One image for every service of docker-compose.yml: the locked environment, and git for the run worktrees.
FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg git make && rm -rf /var/lib/apt/lists/*
# the build trusts the certificates of the image: where a company's network presents its own, add them to the base image
ENV UV_SYSTEM_CERTS=true PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/realframe
# the build context has no git: docker build --build-arg VERSION=1.2.0
ARG VERSION=0.0.0
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
COPY src src
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION uv sync --frozen --no-dev --extra server --compile-bytecode --no-editable
ENV PATH=/opt/realframe/.venv/bin:$PATH PYTHONUNBUFFERED=1
# the checkout itself is mounted at /checkout: runs are commits in it
WORKDIR /checkout
