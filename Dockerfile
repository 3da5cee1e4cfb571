# The BIDS App as a container image. Build from a checkout; git is not needed:
#
#   docker build --build-arg VERSION=0.2.0 -t synthtumour_bids:0.2.0 .
#
# docs/containers.md describes the build arguments.

FROM python:3.11-slim-bookworm AS build

# Where pip looks besides its default index; the way to a torch without CUDA.
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    TEMPLATEFLOW_HOME=/opt/templateflow

WORKDIR /build
COPY constraints.txt pyproject.toml requirements.lock ./
COPY scripts/container_libraries.sh scripts/
RUN bash scripts/container_libraries.sh

ARG VERSION=0.2.0
# Names of TemplateFlow templates to carry, separated by blanks.
ARG TEMPLATES=""
COPY LICENSE README.md ./
COPY scripts/container_app.sh scripts/container_contents.py scripts/
COPY synthtumour_bids synthtumour_bids
# hadolint ignore=SC2086
RUN bash scripts/container_app.sh "$VERSION" $TEMPLATES


FROM python:3.11-slim-bookworm

ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="synthtumour_bids" \
      org.opencontainers.image.description="BIDS App that learns to segment brain tumours from FLAIR MRI without a single annotation" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --uid 10001 --no-create-home --home-dir /tmp synthtumour
COPY --from=build /opt /opt

# Read from /opt, written to /tmp: under any user, with a read-only root, without a network.
ENV PATH="/opt/venv/bin:$PATH" \
    HOME=/tmp \
    LANG=C.UTF-8 \
    LC_ALL=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    TEMPLATEFLOW_HOME=/opt/templateflow \
    TEMPLATEFLOW_AUTOUPDATE=off \
    XDG_CACHE_HOME=/tmp/synthtumour/cache \
    MPLCONFIGDIR=/tmp/synthtumour/matplotlib \
    NUMBA_CACHE_DIR=/tmp/synthtumour/numba \
    TORCH_HOME=/tmp/synthtumour/torch \
    TORCHINDUCTOR_CACHE_DIR=/tmp/synthtumour/torchinductor \
    OMP_NUM_THREADS=1 \
    ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1 \
    nnUNet_compile=F \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    SYNTHTUMOUR_DOCKER_TAG="synthtumour_bids:$VERSION"

USER 10001
WORKDIR /tmp
ENTRYPOINT ["synthtumour-bids"]
CMD ["--help"]
