#!/usr/bin/env bash
# Installs what the pipeline needs from Debian, and the packages that are named: the image and the tests are built by it.
#
# LibreOffice makes the PDFs that clients get and computes workbooks; the fonts have the Vietnamese letters; poppler reads
# PDFs back.
set -euo pipefail
packages=(libreoffice-writer libreoffice-calc fonts-liberation2 poppler-utils "$@")

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
((${#missing[@]})) || exit 0

export DEBIAN_FRONTEND=noninteractive
sudo=()
((EUID == 0)) || sudo=(sudo -n)
for attempt in 1 2 3; do
  if "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -yq --no-install-recommends "${missing[@]}"; then
    exit 0
  fi
  ((attempt == 3)) || sleep $((attempt * 10))
done
echo "Could not install: ${missing[*]}" >&2
exit 1
