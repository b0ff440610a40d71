#!/usr/bin/env bash
# costcalc as it stands in this checkout of the action, with what it imports, pinned by hash: into
# an environment of its own, which sees neither the repository nor anything installed beside it.
set -euo pipefail
"$PYTHON" -c 'import sys; sys.exit("costcalc needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
"$PYTHON" -m venv "$RUNNER_TEMP/costcalc"
python="$RUNNER_TEMP/costcalc/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
    --requirement "$ACTION/action/requirements.txt"
printf '%s\n' "$ACTION" > "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/costcalc.pth"
cd "$RUNNER_TEMP"
"$python" -I -m costcalc --version
