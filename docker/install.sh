#!/bin/sh
# Inside the build: what a role needs, into /opt/python, as constraints.txt pins it. Usage: install.sh EXTRAS cpu|cuda|none
set -eu
extras=$1
torch=$2
pip="/opt/python/bin/pip install --quiet --find-links /wheels"  # constraints.txt holds by PIP_CONSTRAINT

version=$(sed -n 's/^torch==//p' constraints.txt)
case $torch in
  cpu) $pip "torch==$version+cpu" safetensors ;;
  cuda) $pip "torch==$version,!=$version+cpu" ;;
  none) ;;
  *) echo "install.sh: \"$torch\" is no kind of PyTorch: cpu, cuda or none" >&2; exit 2 ;;
esac

# The project's own code comes in a later layer; an empty package in its place asks for what it needs.
mkdir -p src/reenact
touch src/reenact/__init__.py README.md
$pip ".[$extras]"
/opt/python/bin/pip uninstall --quiet --yes reenact
/opt/python/bin/pip check
/opt/python/bin/pip uninstall --quiet --yes pip

# Where the project itself will lie.
echo /opt/reenact >"$(echo /opt/python/lib/python3*/site-packages)/reenact.pth"
chmod -R a+rX /opt/python
