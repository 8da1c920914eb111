#!/bin/sh
# Prints the path of a Python that can build ibwire, or says what is missing. $PYTHON, if set, is the only candidate.
set -u
found=
for name in ${PYTHON:-python3 python python3.13 python3.12 python3.11 python3.14}; do
    path=$(command -v "$name" 2>/dev/null) || continue
    version=$("$path" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        printf '%s\n' "$path"
        exit 0
    fi
    found="$found $name is $version;"
done
{
    echo "missing: Python 3.11 or newer"
    echo "   found:${found:- ${PYTHON:-no Python at all}${PYTHON:+ does not run}}"
    echo "   install it (Debian, Ubuntu: apt install python3 python3-venv python3-dev; Fedora: dnf install python3 python3-devel)"
    echo "   or name one: make PYTHON=/path/to/python3.12 ..."
} >&2
exit 1
