# One image for every service of docker-compose.yml: the locked environment, and git for the run worktrees.
FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg git make && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/realframe
COPY pyproject.toml uv.lock README.md ./
COPY src src
RUN uv sync --frozen --no-dev --extra server --compile-bytecode --no-editable
ENV PATH=/opt/realframe/.venv/bin:$PATH PYTHONUNBUFFERED=1
# the checkout itself is mounted at /checkout: runs are commits in it
WORKDIR /checkout
