#!/usr/bin/env bash
# What a release is made of, into a folder: wheel and sdist, built twice and equal to the bit, checked
# as the index will, and an SBOM (CycloneDX) of the wheel with all that it installs.
#   scripts/release.sh dist        # needs build, twine, cyclonedx-bom
set -euo pipefail
out=$(realpath -m "${1:?a folder for the files}")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
mkdir -p "$out"

# The second from a copy at another path, with other times and a stricter umask.
python -m build --outdir "$work/one" . > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
mkdir "$work/copy"
(umask 077 && git archive HEAD | tar -x --touch -C "$work/copy")
python -m build --outdir "$work/two" "$work/copy" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for file in "$work"/one/*; do
    cmp "$file" "$work/two/$(basename "$file")"
done
twine check --strict "$work"/one/*
cp "$work"/one/* "$out/"

python -m venv --without-pip "$work/empty"
python -m pip --python "$work/empty/bin/python" install --quiet "$work"/one/*.whl
cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
    --output-file "$out/costcalc.cdx.json" "$work/empty/bin/python"
python - "$out/costcalc.cdx.json" << 'END'
import json, sys
bom = json.load(open(sys.argv[1]))
names = {part["name"] for part in bom["components"]}
assert bom["metadata"]["component"]["name"] == "costcalc", "the SBOM is not of costcalc"
assert {"numpy", "pydantic", "typer", "codecarbon"} <= names, "the SBOM lacks what is installed"
print(f"SBOM: CycloneDX {bom['specVersion']}, {len(names)} packages beside costcalc")
END
(cd "$out" && sha256sum costcalc-* costcalc.cdx.json)
