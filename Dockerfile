# One image for every role: web, workers, beat, Flower. What it runs is said by its command; see docker-compose.yml.
#
# Any Debian with Python 3.11 or newer will do as the base. It needs neither BuildKit nor anything but the base's own
# package sources: where those are reached by way of a proxy or a company's certificates, the base has to know them.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# The packages, and the project itself.
FROM ${BASE_IMAGE} AS build
# Debian's own Python comes without ensurepip, which python3-venv brings.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils $(python3 -c "import ensurepip" 2>/dev/null || echo python3-venv)
WORKDIR /build
COPY requirements-uv.lock ./
RUN python3 -m venv /tools && /tools/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-uv.lock
ENV VIRTUAL_ENV=/opt/repomill/venv PATH=/opt/repomill/venv/bin:$PATH UV_NO_CACHE=1 UV_LINK_MODE=copy
# The lock alone first: the packages stay in the build cache as long as it does not change. Translations, source maps,
# debugging symbols and the packages' own tests are a third of what comes, and nothing here can show them.
COPY requirements.lock ./
RUN python3 -m venv --without-pip "$VIRTUAL_ENV" \
 && /tools/bin/uv pip install --require-hashes --requirement requirements.lock \
 && cd "$VIRTUAL_ENV" \
 && find . -type d -path '*/locale/*/LC_MESSAGES' -not -path '*/en/*' -prune -exec rm -r {} + \
 && find . -type d \( -name tests -o -path '*/tornado/test' \) -prune -exec rm -r {} + \
 && find . -name '*.map' -delete \
 && find . -name '*.so' -not -path '*.libs/*' -size +500k -exec strip --strip-unneeded {} +
COPY pyproject.toml README.md LICENSE celeryconfig.py ./
COPY backend backend
COPY workers workers
RUN /tools/bin/uv pip install --no-deps --no-build-isolation --target /opt/repomill/app . \
 && /tools/bin/uv pip uninstall hatchling editables trove-classifiers
COPY examples /opt/repomill/app/examples
# What the roles import is compiled by importing it; at run time nothing can be written.
RUN cd /opt/repomill/app && REPOMILL_DATA_DIR=/tmp/data GIT_PYTHON_REFRESH=quiet python -c "\
from backend.cli.django_setup import setup_django; setup_django(); \
from backend.cli.stack.preload import preload; preload(); \
import backend.cli.app, nacl.bindings, psycopg"

# The base with git, and without what only installs things: Perl, apt, pip, and the parts of git that serve others.
FROM ${BASE_IMAGE} AS system
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git ca-certificates \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/repomill --shell /usr/sbin/nologin repomill \
 && install --directory --owner=repomill --group=repomill --mode=0700 /var/lib/repomill/data /var/lib/repomill/data/static \
 && for program in daemon http-backend http-fetch http-push imap-send shell sh-i18n--envsubst; do \
      rm -f /usr/bin/git-$program /usr/lib/git-core/git-$program; \
    done \
 && rm -f /usr/bin/scalar /usr/lib/git-core/scalar \
 && ln -sf /usr/bin/git /usr/lib/git-core/git \
 && dpkg --purge --force-depends --force-remove-essential --force-remove-protected \
      perl libperl5.36 perl-modules-5.36 liberror-perl git-man apt libapt-pkg6.0 perl-base \
 && rm -rf /var/lib/apt /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/perl* \
      /usr/lib/*/gconv /usr/local/lib/python3*/site-packages /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# Copied, and not built upon: what was removed is in no layer. Three layers, so that an update brings the last one alone.
FROM scratch
COPY --from=system / /
COPY --from=build /opt/repomill/venv /opt/repomill/venv
COPY --from=build /opt/repomill/app /opt/repomill/app
ENV PATH=/opt/repomill/app/bin:/opt/repomill/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/repomill/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 \
    DJANGO_SETTINGS_MODULE=backend.config.settings.base REPOMILL_DATA_DIR=/var/lib/repomill/data
WORKDIR /opt/repomill/app
USER repomill
VOLUME /var/lib/repomill/data
EXPOSE 8000
CMD ["uvicorn", "backend.config.asgi:application", "--host=0.0.0.0", "--port=8000", "--no-server-header", "--lifespan=off", "--http=h11", "--ws=none", "--loop=asyncio", "--no-access-log", "--timeout-graceful-shutdown=2", "--backlog=4096"]
