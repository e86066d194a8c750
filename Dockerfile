# One image for every role: web, workers, beat, Flower. What it runs is said by its command; see docker-compose.yml.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VIRTUAL_ENV=/opt/repomill/venv PATH=/opt/repomill/venv/bin:$PATH

WORKDIR /opt/repomill/app
COPY requirements.lock ./
# The lock alone first: the packages stay in the build cache as long as it does not change.
RUN python3 -m venv "$VIRTUAL_ENV" \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock

COPY . .
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/repomill repomill \
 && install --directory --owner=repomill --group=repomill --mode=0700 /var/lib/repomill/data

ENV REPOMILL_DATA_DIR=/var/lib/repomill/data
USER repomill
VOLUME /var/lib/repomill/data
EXPOSE 8000
CMD ["uvicorn", "backend.config.asgi:application", "--host=0.0.0.0", "--port=8000", "--no-server-header", "--lifespan=off", "--timeout-graceful-shutdown=2"]
