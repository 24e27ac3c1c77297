#!/usr/bin/env bash
# Installs what is missing of the named sections of debian-packages.txt, as root or with sudo. Where nothing is missing it
# takes a blink and needs neither root nor network.
#
#   install_packages.sh build|test|lint|runtime…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v dpkg-query >/dev/null; then
  echo "this is no Debian: install what cmake/debian-packages.txt names, and set MODELPATCH_SKIP_INSTALL=1" >&2
  exit 1
fi

declare -A installed=()
while read -r name state; do
  [[ $state != installed ]] || installed[$name]=1
done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n')

missing=()
for section in "$@"; do
  while read -r entry; do
    found=
    for name in ${entry//|/ }; do [[ -z ${installed[$name]-} ]] || found=1; done
    [[ -n $found || " ${missing[*]-} " == *" $entry "* ]] || missing+=("$entry")
  done < <(sed -n "/^\[$section\]/,/^\[/{/^[a-z]/p}" debian-packages.txt)
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "these packages are missing, and installing them takes root or sudo: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
"${apt[@]}" update </dev/null

chosen=()
for entry in "${missing[@]}"; do
  found=
  for name in ${entry//|/ }; do
    [[ -n $found || $(LC_ALL=C apt-cache policy "$name") != *"Candidate: "[!\(]* ]] || found=$name
  done
  if [[ -z $found ]]; then
    echo "this system's package sources have no $entry; those of Debian 12 and 13 do" >&2
    exit 1
  fi
  chosen+=("$found")
done

log=$(mktemp)
if ! "${apt[@]}" install -y --no-install-recommends "${chosen[@]}" </dev/null >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "apt could not install the packages; all it said is in $log" >&2
  exit 1
fi
rm -f "$log"
